-- Drops submissions that ended before a time and whose end the recorder has filed, oldest first, in portions.
-- lib: events fence order shared
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 time; 3 how many at most
-- Returns {how many were dropped, 1 when a further call would drop more}. The bits stay. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end
local budget = 10000
local filed = call('HGET', key_cursors, 'recorder') or '0'

-- Deletes the elements of ranks below `top`, from the highest down. Returns whether all are gone.
local function drop_elements(id, top)
  while top >= 0 and budget > 0 do
    local keys = {}
    for rank = top, math.max(0, top - 499), -1 do
      local text = string.format('%.0f', id + rank)
      keys[#keys + 1], keys[#keys + 2] = key_el(text), key_steps(text)
    end
    call('UNLINK', unpack(keys))
    budget, top = budget - #keys, top - 500
  end
  call('HSET', key_job(string.format('%.0f', id)), 'top', math.max(top, -1))
  return top < 0
end

local dropped, more = {}, 0
for _, id in ipairs(call('ZRANGEBYSCORE', key_done, '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])) do
  local found, seq = call('HMGET', key_job(id), 'top', 'uid'), call('HGET', key_ends, id)
  local top, uid = found[1], found[2]
  if not seq or is_later(seq, filed) then break end
  if budget <= 0 or not drop_elements(tonumber(id), tonumber(top)) then
    more = 1
    break
  end
  budget = budget - 10
  drop_body(id, uid)
  call('UNLINK', key_job(id), key_live(id))
  -- dependants not spread onto the queue yet are still needed: spread() drops the list then
  if not call('ZSCORE', key_spread, id) then call('UNLINK', key_waits(id)) end
  call('ZREM', key_done, id)
  call('HDEL', key_ends, id)
  call('ZREM', key_arrays, id)
  dropped[#dropped + 1] = id
end
if #dropped > 0 then
  tell('forget', '{"jobs":[' .. table.concat(dropped, ',') .. ']}')
  publish()
end
return { #dropped, more }
