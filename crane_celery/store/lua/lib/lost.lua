-- Writing a node off. Needs ends, events.
local NODE_DOWN = 326

-- Ends all that holds something on the node; returns their ids; tell_ends tells of it. Costs some 30 us a run.
local function write_off(node, reason)
  local ids = {}
  for _, member in ipairs(call('SMEMBERS', key_runs(node))) do
    local id, run = string.match(member, '^(%d+):(%d+)$')
    local row, kind = finish(nil, tonumber(id), tonumber(run), 'Failed', NODE_DOWN, '0', NOW, reason, '0', '0')
    note_end(row, kind)
    if row then ids[#ids + 1] = tonumber(id) end
  end
  return ids
end
