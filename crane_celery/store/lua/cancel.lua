-- Ends pending ranks as Cancelled and tells running ones to stop, in portions of LIMIT runs.
-- lib: pages ranges tags bits events later jobs blocks marks unrun pending
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 uid; 4 signal (0 = cancel); 5 rank from which on runs are looked at
-- Returns {pending ranks ended, rank to go on from or -1, submissions that wait, ids told to stop...}.
-- Error NOTFOUND for an unknown job.
local LIMIT, FEW_RANGES = 2000, 64
local CANCELLED_CODE = 320
local signal, from = tonumber(ARGV[4]), tonumber(ARGV[5])
local job = job_of(ARGV[1])
if not job then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local base = tonumber(job.id)
local ranks = ARGV[2] == '' and { 0, job.count - 1 } or common(to_ranges(ARGV[2]), { 0, job.count - 1 })

local looked, next_rank = 0, -1

-- Adds ranks from low to high that hold an allocation. Once LIMIT were looked at, next_rank is where to go on.
local function look(found, low, high)
  for _, rank in ipairs(call('ZRANGEBYSCORE', key_live(job.id), math.max(from, low), high, 'LIMIT', 0, LIMIT - looked)) do
    looked, rank = looked + 1, tonumber(rank)
    if place(ranks, rank) then found[#found + 1] = rank end
    if looked == LIMIT then next_rank = rank + 1 end
  end
end

-- Ranks of the submission that hold an allocation: few ranges are looked up one by one, else all that runs is gone through.
local function holding()
  if not job.array then return place(ranks, 0) and { 0 } or {} end
  local found = {}
  if ranks.pages or #ranks > 2 * FEW_RANGES then look(found, 0, job.count - 1)
  else
    for i = 1, #ranks, 2 do
      if looked < LIMIT then look(found, ranks[i], ranks[i + 1]) end
    end
  end
  return found
end

local told, rows = {}, {}

-- Only a cancel and a KILL are kept until the run ends, since repeating another signal would do harm. A cancel wins over
-- a requeue ('r') that was asked for before it.
local function stop(rank)
  local id = string.format('%.0f', base + rank)
  local e = call('HMGET', key_el(id), 'run', 'state', 'node', 'cancelled')
  if not e[1] or not MAY_END[e[2]] then return end
  told[#told + 1] = tonumber(id)
  if signal == 0 and e[4] == '1' then return end
  if signal == 0 or (signal == 9 and not e[4]) then
    call('HSET', key_el(id), 'cancelled', signal == 0 and '1' or '9')
    call('HSET', key_kills(e[3]), id .. ':' .. e[1], signal)
  end
  rows[#rows + 1] = '[' .. id .. ',' .. e[1] .. ',' .. cjson.encode(e[3]) .. ',' .. signal .. ']'
end

for _, rank in ipairs(holding()) do stop(rank) end
-- again with the last portion: a run that was not told yet may have ended meanwhile, and be pending again
local ended = 0
if signal == 0 and (from == 0 or next_rank < 0) then
  ended = end_pending(job, ranks, 'Cancelled', CANCELLED_CODE, '"uid":' .. ARGV[3])
end
tell_rows('kill', '"uid":' .. ARGV[3] .. ',', rows)
settle()
return { ended, next_rank, call('ZCOUNT', key_waits(job.id), 0, '+inf'), unpack(told) }
