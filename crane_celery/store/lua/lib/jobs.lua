-- Submissions touched by one script call: read once, changed in Lua tables, written once by settle().
-- Needs ranges, events.
local WORSE = { Completed = 1, Failed = 2, Cancelled = 3, Deadline = 4, ExceedTimeLimit = 5, OutOfMemory = 6 }
local jobs = {}

-- The submission of this id (text or number), or false.
local function job_of(id)
  id = string.format('%.0f', id)
  local job = jobs[id]
  if job ~= nil then return job end
  local v = call('HMGET', key_job(id), 'count', 'pending', 'held', 'ready', 'began', 'ended', 'ok', 'code', 'state',
    'gone', 'waits', 'array', 'top')
  if not v[1] then
    jobs[id] = false
    return false
  end
  job = { id = id, base = tonumber(id), count = tonumber(v[1]), pending = to_ranges(v[2]), held = to_ranges(v[3]),
    ready = tonumber(v[4]), began = tonumber(v[5]), ended = tonumber(v[6]), ok = tonumber(v[7]), code = tonumber(v[8]),
    state = v[9], gone = tonumber(v[10]), waits = v[11], array = v[12] == '1', top = tonumber(v[13]) }
  job.was = { began = job.began, ended = job.ended, ok = job.ok, gone = job.gone, top = job.top }
  jobs[id] = job
  return job
end

-- n elements have ended in this state with this code; ok of them Completed.
local function count_end(job, n, state, code)
  job.ended = job.ended + n
  if state == 'Completed' then job.ok = job.ok + n end
  if job.state == '' or WORSE[state] > WORSE[job.state] then job.state = state end
  job.code = math.max(job.code, code)
end

-- Whether the dependants should be judged. Where they wait for all of it, only the moments that can matter count.
local function matters(job, was)
  if job.waits == '' then return false end
  if job.waits == 'p' then return true end
  local reached, before = job.began + job.gone, was.began + was.gone
  return (job.ended == job.count and was.ended < job.count) or (reached == job.count and before < job.count)
    or (job.ended > job.ok and was.ended == was.ok)
end

-- Counters, index and dependants of one submission of which elements began or ended.
local function settle_counts(job, was)
  local key = key_job(job.id)
  call('HSET', key, 'began', job.began, 'ended', job.ended, 'ok', job.ok, 'code', job.code, 'state', job.state,
    'gone', job.gone)
  if job.began + job.gone > was.began + was.gone then call('HSET', key, 'bt', NOW) end
  if job.ended > was.ended then call('HSET', key, 'et', NOW) end
  if matters(job, was) then call('ZADD', key_spread, 0, job.id) end
  if job.ended == job.count and was.ended < job.count then
    call('HSET', key, 'done', NOW)
    call('ZREM', key_alive, job.id)
    call('ZADD', key_done, NOW, job.id)
    return true
  end
  return false
end

-- Writes what changed and appends the events. Returns the id of the entry, or false.
local function settle()
  local over = {}
  for _, job in pairs(jobs) do
    if job and job.ranges_changed then
      call('HSET', key_job(job.id), 'pending', to_text(job.pending), 'held', to_text(job.held), 'top', job.top)
    end
    local was = job and job.was
    if job and (job.began ~= was.began or job.ended ~= was.ended) then
      if settle_counts(job, was) then over[#over + 1] = job.id end
    end
  end
  local seq = publish()
  for _, id in ipairs(over) do call('HSET', key_job(id), 'seq', seq) end
  return seq
end
