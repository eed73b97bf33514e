-- Has ranks run again. Running ones are told to stop and are pending again when they have; ended ones at once.
-- lib: pages ranges tags bits events later jobs blocks revive
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 "requeue" or "hold"; 4 1 = leave ended ones alone; 5 rank to go on from;
--        6 who asked: "uid":N, or ""
-- Returns {ended ranks that are pending again, rank to go on from or -1, ids told to stop...}. Error NOTFOUND.
local LIMIT = 500
local job = job_of(ARGV[1])
if not job then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local base, after, from = tonumber(job.id), ARGV[3], tonumber(ARGV[5])
local v = call('HMGET', key_job(job.id), 'pending', 'top')
local pending = to_ranges(v[1])
local all = { 0, math.min(tonumber(v[2]), job.count - 1) }
local ranks = minus(all[2] < 0 and {} or (ARGV[2] == '' and all or common(to_ranges(ARGV[2]), all)), pending)

local HOLDING = { Starting = true, Running = true, Completing = true, Suspended = true }
local told, rows, over = {}, {}, {}

local function stop(id, e)
  told[#told + 1] = tonumber(id)
  if e[4] == '1' then return end -- a cancel came first, and wins
  call('HSET', key_el(id), 'cancelled', 'r', 'then', after)
  call('HSET', key_kills(e[3]), id .. ':' .. e[1], 0)
  rows[#rows + 1] = '[' .. id .. ',' .. e[1] .. ',' .. cjson.encode(e[3]) .. ',0]'
end

local function look(rank)
  local id = string.format('%.0f', base + rank)
  local e = call('HMGET', key_el(id), 'run', 'state', 'node', 'cancelled')
  if not e[1] then return end
  if HOLDING[e[2]] then stop(id, e) elseif ARGV[4] ~= '1' then over[#over + 1] = { rank, tonumber(e[1]), e[2] } end
end

local found = ranks_from(ranks, from, LIMIT + 1)
local next_rank = found[LIMIT + 1] or -1
found[LIMIT + 1] = nil
for _, rank in ipairs(found) do look(rank) end
tell_rows('kill', ARGV[6] .. '"then":"' .. (after == 'hold' and 'hold' or 'requeue') .. '",', rows)
if #over > 0 then revive(job, pending, over, after == 'hold', ARGV[6]) end
publish()
return { #over, next_rank, unpack(told) }
