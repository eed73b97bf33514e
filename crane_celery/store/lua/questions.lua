-- Dependants to be judged, with the facts. First the long lists are spread onto the queue, a portion at a time, so that
-- 100,000 dependants never block the server. What is handed out moves from `resolve` to `asked` and stays there until it
-- is judged: a trigger that comes meanwhile queues it again, so no change is missed, and a crash loses nothing. Before all
-- else go the dependants of what was requeued whose verdicts are still to be taken back.
-- lib: bits events fence blocks waits reopen
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 how many at most (200 whatever is asked for)
-- Returns {1 when more may wait, {{job, dep, began, ended, ok, at, lost, last, ... for each of its blocks in order}, ...}};
-- last: whether the element that ended last Completed. For aftercorr two more: the bits ended and ok, as bytes for each
-- chunk, which the reader shifts to the block's first id.
-- Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end
local limit = math.min(tonumber(ARGV[2]), 200)
local SPREAD, LOOKED_AT, BLOCKS, REOPENED = 400, 800, 600, 300

-- Moves up to `room` dependants onto the queue; returns how many.
local function spread(room)
  local head = call('ZRANGE', key_spread, 0, 0, 'WITHSCORES')
  if not head[1] then return 0 end
  local list = call('ZRANGEBYSCORE', key_waits(head[1]), '(' .. head[2], '+inf', 'LIMIT', 0, room)
  for _, id in ipairs(list) do call('ZADD', key_resolve, id, id) end
  if #list == room then
    call('ZADD', key_spread, list[#list], head[1])
  else
    call('ZREM', key_spread, head[1])
    if call('EXISTS', key_job(head[1])) == 0 then call('UNLINK', key_waits(head[1])) end
  end
  return math.max(#list, 1)
end

-- When the block's ids began or ended last. Exact for one element; of an array's part the array's latest stands in.
local function moment(b)
  local after = b[1] == 'after'
  if b[4] == 1 then
    local e = call('HMGET', key_el(string.format('%.0f', b[3])), 'began', 'ended')
    local at = e[1] and (after and tonumber(e[1]) > 0 and e[1] or e[2])
    if at then return at end
  end
  local v = call('HMGET', key_job(string.format('%.0f', b[2])), 'bt', 'et', 'done') -- done: cancelled as a whole
  return (after and v[1] or v[2]) or v[3] or '0'
end

-- Whether the element of the block's submission that ended last Completed; once that is forgotten, whether all did.
local function last_ok(b)
  local job = key_job(string.format('%.0f', b[2]))
  if call('EXISTS', job) == 1 then return call('HGET', job, 'lok') == '1' and 1 or 0 end
  return count_bits('ok', b[3], b[4]) == b[4] and 1 or 0
end

-- The bytes that hold the bits of a block, from the byte of its first bit on.
local function raw_bits(kind, b)
  local out, n = {}, 0
  each_chunk(kind, b[3], b[4], function(key, at, count)
    local low, high = math.floor(at / 8), math.floor((at + count - 1) / 8)
    local bytes = call('GETRANGE', key, low, high)
    n = n + 1
    out[n] = bytes .. string.rep('\0', high - low + 1 - #bytes)
  end)
  return table.concat(out)
end

local cost = 0

local function question(id)
  local v = call('HMGET', key_job(id), 'ready', 'dep', 'pending', 'corr', 'judged')
  if not v[1] or v[3] == '' or not undecided(v[2], v[1], v[5], v[4]) then return nil end
  local out = { id, v[2] }
  for _, b in ipairs(blocks(v[2])) do
    cost = cost + 1 + math.floor(b[4] / 20000)
    out[#out + 1] = count_begun(b[3], b[4])
    out[#out + 1] = count_bits('ended', b[3], b[4])
    out[#out + 1] = count_bits('ok', b[3], b[4])
    out[#out + 1] = moment(b)
    out[#out + 1] = b[1] == 'afterexcept' and count_bits('lost', b[3], b[4]) or 0
    out[#out + 1] = b[10] and last_ok(b) or 0
    if b[1] == 'aftercorr' then
      out[#out + 1] = raw_bits('ended', b)
      out[#out + 1] = raw_bits('ok', b)
    end
  end
  return out
end

local out, looked = {}, 0

local function consider(ids, asked)
  for _, id in ipairs(ids) do
    if #out >= limit or cost >= BLOCKS then return end
    looked = looked + 1
    call('ZREM', key_resolve, id)
    local found = question(id)
    if found then
      out[#out + 1] = found
      if not asked then call('ZADD', key_asked, id, id) end
    elseif asked then call('ZREM', key_asked, id) end
  end
end

if reopen_next(REOPENED) then
  publish()
  return { 1, {} }
end
local moved = 0
repeat
  local n = spread(SPREAD - moved)
  moved = moved + n
until n == 0 or moved >= SPREAD
consider(call('ZRANGE', key_asked, 0, limit - 1), true)
while #out < limit and cost < BLOCKS and looked < LOOKED_AT do
  local ids = call('ZRANGE', key_resolve, 0, limit - 1)
  if #ids == 0 then break end
  consider(ids, false)
end
local more = call('EXISTS', key_resolve, key_spread) > 0
return { more and 1 or 0, out }
