-- Ends submissions of which nothing has started or ended yet; the others are left alone, for cancel.
-- lib: bits events later blocks
-- KEYS   1 the prefix of all keys
-- ARGV   1 uid; then the submissions' ids, ascending
-- Returns for each how many submissions wait on it, or -1 where it was left alone or is not there.
local uid = ARGV[1]
local out, over, n = {}, {}, 0
local fewer = {} -- uid, uid:partition -> submissions fewer
local first, count = 0, 0 -- neighbours' ids share one write of their bits

local function write_bits()
  set_bits('ended', first, count)
end

local function cover(id, size)
  if first + count == id then
    count = count + size
    return
  end
  write_bits()
  first, count = id, size
end

for i = 2, #ARGV do
  local id = ARGV[i]
  local key = key_job(id)
  local v = call('HMGET', key, 'top', 'ended', 'count', 'dep', 'waits', 'uid', 'part', 'until')
  if v[1] ~= '-1' or v[2] ~= '0' then
    out[i - 1] = -1
  else
    local size = v[3]
    call('HSET', key, 'pending', '', 'held', '', 'ended', size, 'gone', size, 'code', '320', 'state', 'Cancelled', 'done', NOW)
    if v[8] and v[8] ~= '' then call('HSET', key, 'until', '') end
    cover(tonumber(id), tonumber(size))
    if v[4] ~= '' then stop_waiting(id, v[4]) end
    out[i - 1] = v[5] == '' and 0 or call('ZCOUNT', key_waits(id), 0, '+inf')
    if v[5] ~= '' then later('ZADD', key_spread, 0, id) end
    n = n + 1
    over[n] = id
    for _, field in ipairs({ v[6], v[6] .. ':' .. v[7] }) do fewer[field] = (fewer[field] or 0) - 1 end
    tell('cancel', '{"job":' .. id .. ',"ranks":"' .. (size == '1' and '0' or '0-' .. string.format('%d', size - 1))
      .. '","uid":' .. uid .. ',"done":true}')
  end
end
if n == 0 then return out end
write_bits()
for field, n in pairs(fewer) do call('HINCRBY', key_submitted, field, n) end
flush()
local seq = publish()
local done, ends = {}, {}
for i = 1, n do
  done[2 * i - 1], done[2 * i] = NOW, over[i]
  ends[2 * i - 1], ends[2 * i] = over[i], seq
end
call('ZREM', key_alive, unpack(over))
call('ZADD', key_done, unpack(done))
call('HSET', key_ends, unpack(ends))
return out
