-- Takes verdicts back that a requeue has made untrue: whoever has not started is judged anew. The same rules as in
-- model/dependency.py. Needs bits, blocks, waits, events.
local OF_ENDS = { afterok = true, afternotok = true, afterany = true, afterexcept = true, aftercorr = true }
local counted = {}

local function count_of(kind, b)
  local name = string.format('%s:%.0f:%.0f', kind, b[3], b[4])
  if not counted[name] then
    counted[name] = kind == 'begun' and count_begun(b[3], b[4]) or count_bits(kind, b[3], b[4])
  end
  return counted[name]
end

-- Whether what is stamped of a block is true no longer.
local function outdated(b)
  local kind, met = b[1], b[7] > 0
  if b[7] == 0 or kind == 'singleton' or (kind == 'expand' and met) then return false end
  if kind == 'after' then return count_of('begun', b) < b[4] end
  if kind == 'aftercorr' then return count_of('ok', b) < b[4] end
  if kind == 'afterok' and not met and not b[10] then return count_of('ended', b) == count_of('ok', b) end
  return count_of('ended', b) < b[4]
end

-- A block as JSON. Times keep their microseconds, which cjson would round off.
local function block_text(b)
  local at = string.gsub(string.format('%.6f', b[7]), '(%.%d-)0+$', '%1')
  local out = string.format('[%s,%.0f,%.0f,%.0f,%.0f,%s,%s', cjson.encode(b[1]), b[2], b[3], b[4], b[5],
    cjson.encode(b[6]), string.sub(at, -1) == '.' and at .. '0' or at)
  if b[8] == nil then return out .. ']' end
  return string.format('%s,%s,%s,%s]', out, cjson.encode(b[8]), cjson.encode(b[9]), b[10] and 'true' or 'false')
end

-- The dependency without the stamps that are outdated (`all`: without those of any end), or nil where none is.
local function unstamped(dep, all)
  local decoded, groups, changed = cjson.decode(dep), {}, false
  for i, group in ipairs(decoded[2]) do
    local texts = {}
    for j, b in ipairs(group) do
      if b[7] ~= 0 and (outdated(b) or (all and OF_ENDS[b[1]])) then b[7], changed = 0, true end
      texts[j] = block_text(b)
    end
    groups[i] = '[' .. table.concat(texts, ',') .. ']'
  end
  if not changed then return nil end
  return string.format('[%s,[%s]]', decoded[1] and 'true' or 'false', table.concat(groups, ','))
end

-- Whether it waits for this submission (text) element by element.
local function by_index(dep, of)
  for _, b in ipairs(blocks(dep)) do
    if b[1] == 'aftercorr' and string.format('%.0f', b[2]) == of then return true end
  end
  return false
end

-- Has a submission judged anew, with this dependency.
local function judge_anew(id, dep)
  call('HSET', key_job(id), 'dep', dep, 'ready', '-1.0', 'corr', '', 'dead', '', 'judged', NOW)
  call('ZREM', key_asked, id)
  call('ZADD', key_resolve, id, id)
  wait_for(id, dep)
end

-- Looks at the dependants of a submission (text) from a score on, `room` at most. Returns the score to go on from, or nil.
local function reopen(of, from, room)
  local found = call('ZRANGEBYSCORE', key_waits(of), from, '+inf', 'WITHSCORES', 'LIMIT', 0, room)
  local rows, deps, gates = {}, {}, {}
  for i = 1, #found, 2 do
    local id = found[i]
    local v = call('HMGET', key_job(id), 'ready', 'dep', 'pending', 'corr', 'dead', 'judged')
    if v[1] and v[2] ~= '' and v[3] ~= '' then
      local dep, ready = unstamped(v[2], false), tonumber(v[1])
      if not dep and (ready ~= -1 or (v[5] or '') ~= '') and by_index(v[2], of) then dep = v[2] end
      if dep then
        judge_anew(id, dep)
        rows[#rows + 1] = '[' .. id .. ',-1.0]'
        deps[#deps + 1], gates[#gates + 1] = cjson.encode(dep), '["",""]'
      elseif undecided(v[2], v[1], v[6], v[4]) then -- it may have been asked about just now
        call('ZREM', key_asked, id)
        call('ZADD', key_resolve, id, id)
      end
    end
  end
  tell_rows('judge', string.format('"requeued":%s,"deps":[%s],"gates":[%s],', of, table.concat(deps, ','),
    table.concat(gates, ',')), rows)
  return #found == 2 * room and '(' .. found[#found] or nil
end

local REOPENED_AT_ONCE = 200

-- Does so for the first dependants of a submission that was requeued; `reopen` keeps where to go on for those left, which
-- may not start before.
local function reopen_first(of)
  local left = reopen(of, '-inf', REOPENED_AT_ONCE)
  if left then call('HSET', key_reopen, of, left) end
end

-- Goes on with those left; whether there was anything to do.
local function reopen_next(room)
  local head = call('HRANDFIELD', key_reopen)
  if not head then return false end
  local left = reopen(head, call('HGET', key_reopen, head), room)
  if left then call('HSET', key_reopen, head, left) else call('HDEL', key_reopen, head) end
  return true
end

-- Of a submission that runs again: what it waits for is looked at anew as well.
local function rejudge(id)
  local dep = call('HGET', key_job(id), 'dep') or ''
  local anew = dep ~= '' and unstamped(dep, true)
  if anew then judge_anew(id, anew) end
end
