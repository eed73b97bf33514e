-- Has ranks run again. Running ones are told to stop and are pending again when they have; ended ones at once, and all that
-- their ends had caused is taken back.
-- lib: pages ranges tags bits events later jobs blocks marks unrun waits reopen revive
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 "requeue" or "hold"; 4 1 = what Completed too; 5 1 = what is at work too;
--        6 rank to go on from; 7 who asked: "uid":N, or ""; 8 what is changed in the same step, if anything runs again: ""
--        or JSON {"seen": changes as the caller saw them, "events": [update events (JSON)], "set": fields of the hash,
--        "dep": another dependency, "text": as typed, JSON}
-- Returns {ended ranks that are pending again, of these so many had never run, rank to go on from or -1, ids told to
-- stop...}; {-1, 0, 0}, and nothing is done, when somebody else changed it meanwhile. Error NOTFOUND for an unknown job, and
-- for a dependee that was never given out.
local LIMIT = 500
local change = ARGV[8] ~= '' and cjson.decode(ARGV[8])
local job = job_of(ARGV[1])
if not job then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local base, after, completed, running, from = tonumber(job.id), ARGV[3], ARGV[4] == '1', ARGV[5] == '1', tonumber(ARGV[6])
local v = call('HMGET', key_job(job.id), 'pending', 'top', 'unrun', 'lapsed')
if change and (call('HGET', key_job(job.id), 'changes') or '') ~= change.seen then return { -1, 0, 0 } end
local missing = change and (change.dep or '') ~= '' and unknown(change.dep, tonumber(call('GET', key_next)))
if missing then return redis.error_reply(string.format('NOTFOUND job %.0f', missing)) end
local pending, lapsed = to_ranges(v[1]), to_ranges(v[4] or '')
local all = { 0, job.count - 1 }
local asked = minus(ARGV[2] == '' and all or common(to_ranges(ARGV[2]), all), pending)
local ran = tonumber(v[2]) < 0 and {} or common(asked, { 0, tonumber(v[2]) })

local told, rows, over, fresh = {}, {}, {}, {}
for _, row in ipairs(unrun_of(job, v[3])) do
  local never = minus(common(row[1], asked), lapsed)
  ran = minus(ran, never)
  if from == 0 then fresh = union(fresh, never) end
end

local function change_it()
  for field, value in pairs(change.set) do call('HSET', key_job(job.id), field, value) end
  for _, event in ipairs(change.events) do tell('update', event) end
  if change.dep then
    depend_on(job.id, call('HGET', key_job(job.id), 'dep'), change.dep, change.text, change.set.changes, ARGV[7])
  end
end

local function stop(id, e)
  told[#told + 1] = tonumber(id)
  if e[4] == '1' then return end -- a cancel came first, and wins
  call('HSET', key_el(id), 'cancelled', 'r', 'then', after)
  call('HSET', key_kills(e[3]), id .. ':' .. e[1], 0)
  rows[#rows + 1] = '[' .. id .. ',' .. e[1] .. ',' .. cjson.encode(e[3]) .. ',0]'
end

local function look(rank)
  local id = string.format('%.0f', base + rank)
  local e = call('HMGET', key_el(id), 'run', 'state', 'node', 'cancelled', 'code')
  if not e[1] then return end
  if MAY_END[e[2]] then
    if running then stop(id, e) end
  elseif completed or e[2] ~= 'Completed' or place(lapsed, rank) then
    over[#over + 1] = { rank, tonumber(e[1]), e[2], tonumber(e[5]) }
  end
end

local found = ranks_from(ran, from, LIMIT + 1)
local next_rank = found[LIMIT + 1] or -1
found[LIMIT + 1] = nil
for _, rank in ipairs(found) do look(rank) end
if change and (#told > 0 or #over > 0 or not is_empty(fresh)) then change_it() end
tell_rows('kill', ARGV[7] .. '"then":"' .. (after == 'hold' and 'hold' or 'requeue') .. '",', rows)
local n = 0
if #over > 0 or not is_empty(fresh) then n = revive(job, pending, over, fresh, after == 'hold', ARGV[7]) end
publish()
return { n, n - #over, next_rank, unpack(told) }
