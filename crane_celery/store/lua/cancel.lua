-- Ends pending ranks as Cancelled and tells running ones to stop, in portions: at most LIMIT ranges and LIMIT runs a call.
-- lib: ranges tags bits events later jobs blocks pending
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 uid; 4 signal (0 = cancel); 5 rank from which on runs are looked at
-- Returns {pending ranks ended, rank to go on from or -1, submissions that wait, ids told to stop...}.
-- Error NOTFOUND for an unknown job.
local LIMIT = 2000
local CANCELLED_CODE = 320
local signal, from = tonumber(ARGV[4]), tonumber(ARGV[5])
local job = job_of(ARGV[1])
if not job then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local base = tonumber(job.id)
local ranks = ARGV[2] == '' and { 0, job.count - 1 } or common(to_ranges(ARGV[2]), { 0, job.count - 1 })

-- Ranks of the submission that hold an allocation, from `from` on.
local function holding()
  if not job.array then return place(ranks, 0) and { 0 } or {} end
  local found = {}
  for i = 1, #ranks, 2 do
    local room = LIMIT - #found
    if room <= 0 then break end
    local low = math.max(from, ranks[i])
    for _, rank in ipairs(call('ZRANGEBYSCORE', key_live(job.id), low, ranks[i + 1], 'LIMIT', 0, room)) do
      found[#found + 1] = tonumber(rank)
    end
  end
  return found
end

local HOLDING = { Starting = true, Running = true, Completing = true, Suspended = true }
local told, rows = {}, {}

-- Only a cancel and a KILL are kept until the run ends, since repeating another signal would do harm. A cancel wins over
-- a requeue ('r') that was asked for before it.
local function stop(rank)
  local id = string.format('%.0f', base + rank)
  local e = call('HMGET', key_el(id), 'run', 'state', 'node', 'cancelled')
  if not e[1] or not HOLDING[e[2]] then return end
  told[#told + 1] = tonumber(id)
  if signal == 0 and e[4] == '1' then return end
  if signal == 0 or (signal == 9 and not e[4]) then
    call('HSET', key_el(id), 'cancelled', signal == 0 and '1' or '9')
    call('HSET', key_kills(e[3]), id .. ':' .. e[1], signal)
  end
  rows[#rows + 1] = '[' .. id .. ',' .. e[1] .. ',' .. cjson.encode(e[3]) .. ',' .. signal .. ']'
end

local ended, more = 0, false
if signal == 0 then ended, more = end_pending(job, ranks, 'Cancelled', CANCELLED_CODE, '"uid":' .. ARGV[3], LIMIT) end
local next_rank = -1
if more then
  next_rank = from
else
  local ranks_held = holding()
  for _, rank in ipairs(ranks_held) do stop(rank) end
  if #ranks_held >= LIMIT then next_rank = ranks_held[#ranks_held] + 1 end
end
tell_rows('kill', '"uid":' .. ARGV[3] .. ',', rows)
settle()
return { ended, next_rank, call('ZCARD', key_waits(job.id)), unpack(told) }
