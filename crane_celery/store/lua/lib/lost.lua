-- Writing a node off. Needs ends, events.
local NODE_DOWN = 326

local WRITTEN_OFF_AT_ONCE = 1000

-- Ends what holds something on the node, so many runs at most; tell_ends tells of it. Returns their ids, and whether
-- there are more. Costs some 15 us a run.
local function write_off(node, reason)
  local ids, members = {}, call('SMEMBERS', key_runs(node))
  for i = 1, math.min(#members, WRITTEN_OFF_AT_ONCE) do
    local id, run = string.match(members[i], '^(%d+):(%d+)$')
    local row, kind = finish(nil, tonumber(id), tonumber(run), 'Failed', NODE_DOWN, '0', NOW, reason, '0', 0, 0)
    note_end(row, kind)
    if row then ids[#ids + 1] = tonumber(id) else call('SREM', key_runs(node), members[i]) end
  end
  return ids, #members > WRITTEN_OFF_AT_ONCE
end
