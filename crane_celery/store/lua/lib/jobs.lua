-- Counters of submissions touched by one script call: read once, changed in Lua tables, written once by settle().
-- Needs ranges, tags, events, later.
local jobs = {}

-- The submission of this id (text), or false.
local function job_of(id)
  local job = jobs[id]
  if job ~= nil then return job end
  local v = call('HMGET', key_job(id), 'count', 'began', 'ended', 'ok', 'code', 'state', 'gone', 'waits', 'array',
    'uid', 'part', 'policy', 'ways')
  if not v[1] then
    jobs[id] = false
    return false
  end
  local began, ended, ok, gone = tonumber(v[2]), tonumber(v[3]), tonumber(v[4]), tonumber(v[7])
  job = { id = id, count = tonumber(v[1]), began = began, ended = ended, ok = ok, code = tonumber(v[5]), state = v[6],
    gone = gone, waits = v[8], array = v[9] == '1', uid = v[10], part = v[11], policy = v[12] or '',
    ways = v[13] or '', was_reached = began + gone, was_ended = ended, was_bad = ended > ok }
  jobs[id] = job
  return job
end

local counted = {}

-- One submission more (1) or fewer (-1) has not ended: what MaxSubmitJobs is compared with.
local function count_submission(job, n)
  for _, field in ipairs({ job.uid, job.uid .. ':' .. job.part }) do counted[field] = (counted[field] or 0) + n end
end

local function flush_counted()
  for field, n in pairs(counted) do
    if n ~= 0 then call('HINCRBY', key_submitted, field, n) end
  end
  counted = {}
end

-- Ranks of a submission are pending again after their run with this number: gathered, and written by settle().
local function give_back(job, rank, run, hold)
  job.back = job.back or { runs = {}, held = {} }
  job.back.runs[run] = job.back.runs[run] or {}
  table.insert(job.back.runs[run], rank)
  if hold then table.insert(job.back.held, rank) end
end

local function write_back(job)
  local v = call('HMGET', key_job(job.id), 'pending', 'held', 'again')
  local pending, held, again = to_ranges(v[1]), to_ranges(v[2]), to_tags(v[3])
  for run, ranks in pairs(job.back.runs) do
    local some = ranges_of(ranks)
    pending = union(pending, some)
    tag(again, some, run)
  end
  held = union(held, ranges_of(job.back.held))
  call('HSET', key_job(job.id), 'pending', to_text(pending), 'held', to_text(held), 'again', tags_text(again))
end

-- How many runs of an array ended in each way but Completed with code 0: {["Failed:3"] = 12, ...}. What a requeue takes
-- back of it leaves the worst end of the others.
local function ways_of(job)
  if not job.counts then
    job.counts = {}
    for way, n in string.gmatch(job.ways, '([^,=]+)=(%d+)') do job.counts[way] = tonumber(n) end
  end
  return job.counts
end

-- n runs more (or fewer) ended so.
local function count_way(job, state, code, n)
  if not job.array or (state == 'Completed' and code == 0) then return end
  local way, counts = string.format('%s:%d', state, code), ways_of(job)
  counts[way] = (counts[way] or 0) + n
  if counts[way] <= 0 then counts[way] = nil end
end

local function ways_text(job)
  local out = {}
  for way, n in pairs(ways_of(job)) do out[#out + 1] = string.format('%s=%d', way, n) end
  table.sort(out)
  return table.concat(out, ',')
end

-- A run of an array failed: with so many, the rest of it does not start.
local function stop_after_failures(job)
  local most, failed = tonumber(string.match(job.policy, ':(%d+)$') or '0'), 0
  if most == 0 then return end
  for way, n in pairs(ways_of(job)) do
    if not string.find(way, '^Completed:') and not string.find(way, '^Cancelled:') then failed = failed + n end
  end
  if failed >= most then job.stop = true end
end

local stop_rest -- lib/pending.lua, where ends can stop an array

-- n elements have ended in this state with this code.
local function count_end(job, n, state, code)
  job.ended = job.ended + n
  if state == 'Completed' then job.ok = job.ok + n end
  job.last_ok = state == 'Completed' and 1 or 0
  if job.state == '' or WORSE[state] > WORSE[job.state] then job.state = state end
  if code > job.code then job.code = code end
end

-- Whether the dependants should be judged. Where they wait for all of it, only the moments that can matter count.
local function matters(job)
  if job.waits == '' then return false end
  if job.waits == 'p' then return true end
  return (job.ended == job.count and job.was_ended < job.count)
    or (job.began + job.gone >= job.count and job.was_reached < job.count)
    or (job.ended > job.ok and not job.was_bad)
end

-- Counters, index and dependants of one submission of which elements began or ended. Returns whether it is over now.
local function settle_job(job)
  local over = job.ended == job.count and job.was_ended < job.count
  local reached = job.began + job.gone > job.was_reached
  local args = { 'began', job.began }
  local n = 2
  if reached then args[3], args[4], n = 'bt', NOW, 4 end
  if job.ended > job.was_ended then
    args[n + 1], args[n + 2], args[n + 3], args[n + 4] = 'ended', job.ended, 'ok', job.ok
    args[n + 5], args[n + 6], args[n + 7], args[n + 8] = 'code', job.code, 'state', job.state
    args[n + 9], args[n + 10], args[n + 11], args[n + 12] = 'et', NOW, 'gone', job.gone
    args[n + 13], args[n + 14] = 'lok', job.last_ok
    n = n + 14
    if job.counts then
      args[n + 1], args[n + 2] = 'ways', ways_text(job)
      n = n + 2
    end
  end
  if over then
    args[n + 1], args[n + 2] = 'done', NOW
    count_submission(job, -1)
  end
  call('HSET', key_job(job.id), unpack(args))
  if matters(job) then later('ZADD', key_spread, 0, job.id) end
  if over then
    later('ZREM', key_alive, job.id)
    later('ZADD', key_done, NOW, job.id)
  end
  return over
end

-- Writes what changed and appends the events.
local function settle()
  local over = {}
  for id, job in pairs(jobs) do
    if job and job.back then write_back(job) end
    if job and job.stop then stop_rest(job) end
    if job and (job.began + job.gone ~= job.was_reached or job.ended ~= job.was_ended) and settle_job(job) then
      over[#over + 1] = id
    end
  end
  flush_counted()
  flush()
  local seq = publish()
  local ends = {}
  for i, id in ipairs(over) do ends[2 * i - 1], ends[2 * i] = id, seq end
  for i = 1, #ends, 4000 do call('HSET', key_ends, unpack(ends, i, math.min(#ends, i + 3999))) end
end
