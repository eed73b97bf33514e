-- Commits starts: each is checked again against what is true now; those that hold become leases of their nodes.
-- lib: pages ranges tags events later blocks fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 JSON rows [job, rank, run, node, allocation (JSON text), other nodes or 0, 1 = these are guests]
-- Returns one text for each row: "" = accepted, else why not. Error STALE for an older fence.
local stale = fenced(ARGV[1])
if stale then return stale end

local now, states, jobs = tonumber(NOW), {}, {}

local reopening = call('EXISTS', key_reopen) == 1

-- Whether it waits for one that was requeued, and is yet to be judged anew for it.
local function is_outdated(dep)
  for _, b in ipairs(reopening and (dep or '') ~= '' and blocks(dep) or {}) do
    if call('HEXISTS', key_reopen, string.format('%.0f', b[2])) == 1 then return true end
  end
  return false
end

-- What start has to know of a submission, or false.
local function job_of(id)
  local job = jobs[id]
  if job ~= nil then return job end
  local text = string.format('%.0f', id)
  local v = call('HMGET', key_job(text), 'pending', 'held', 'ready', 'array', 'top', 'again', 'throttle', 'corr', 'dead',
    'judged', reopening and 'dep' or 'judged')
  job = v[1] and { id = text, base = id, pending = to_ranges(v[1]), held = to_ranges(v[2]), ready = tonumber(v[3]),
    judged = tonumber(v[10] or '') or 0, ran = {}, array = v[4] == '1', top = tonumber(v[5]), again = to_tags(v[6]),
    throttle = tonumber(v[7] or '0') }
  if job and (v[8] or '') ~= '' then job.corr = to_ranges(v[8]) end
  if job and (v[9] or '') ~= '' then job.dead = to_ranges(v[9]) end
  if job and is_outdated(v[11]) then job.ready = -1 end
  if job and job.throttle > 0 then job.room = job.throttle - call('ZCARD', key_live(text)) end
  jobs[id] = job
  return job
end

local function not_up(node)
  if states[node] == nil then states[node] = call('HGET', key_node(node), 'state') end
  return states[node] ~= 'up' and 'node ' .. node .. ' is ' .. (states[node] or 'unknown')
end

local function none_up(nodes)
  for _, node in ipairs(nodes) do
    local why = not_up(node)
    if why then return why end
  end
end

local function refusal(job, rank, node, others)
  if not job then return 'no such job' end
  -- what had come true when it was judged has happened, though the clock was set back since
  if job.ready < 0 or (job.ready > now and job.ready > job.judged) then return 'not ready' end
  if not place(job.pending, rank) then return 'not pending' end
  if place(job.held, rank) then return 'held' end
  if (job.corr and place(job.corr, rank)) or (job.dead and place(job.dead, rank)) then return 'not ready' end
  if job.room and job.room <= 0 then return 'as many as its limit run' end
  return not_up(node) or (others ~= 0 and none_up(others))
end

-- A run starts a new record; an older run than the last is refused.
local function over(job, rank, run, id)
  local earlier = rank <= job.top and call('HGET', key_el(id), 'run')
  if earlier and tonumber(earlier) >= run then return 'run ' .. run .. ' is over' end
  if earlier then call('DEL', key_el(id)) end
  return false
end

-- Its other nodes have a part in the run (lib/guests.lua).
local function invite(id, member, node, others)
  local args = { 'guests', 1, 'unready', #others, 'parts', #others + 1, 'g:' .. node, 'r' }
  for _, other in ipairs(others) do
    args[#args + 1], args[#args + 2] = 'g:' .. other, 'w'
    later('ZADD', key_leases(other), NOW, member)
  end
  call('HSET', key_el(id), unpack(args))
end

local function lease(job, rank, run, id, node, alloc, others, guests)
  local member = id .. ':' .. run
  if tonumber(run) > 1 then call('HDEL', key_el(id), 'memory_deaths') end
  call('HSET', key_el(id), 'job', job.id, 'rank', rank, 'run', run, 'state', 'Starting', 'node', node, 'alloc', alloc,
    'leased', NOW)
  later('ZADD', key_leases(node), NOW, member)
  later('SADD', key_runs(node), member)
  if others ~= 0 then
    call('HSET', key_el(id), 'wide', 1)
    for _, other in ipairs(others) do later('SADD', key_runs(other), member) end
    if guests == 1 then invite(id, member, node, others) end
  end
  if job.array then later('ZADD', key_live(job.id), rank, rank) end
end

local answers, rows, invited = {}, {}, {}
for i, row in ipairs(cjson.decode(ARGV[2])) do
  local rank, run, node, alloc, others = row[2], row[3], row[4], row[5], row[6]
  local job = job_of(row[1])
  local id = job and string.format('%.0f', job.base + rank)
  local why = refusal(job, rank, node, others) or over(job, rank, run, id)
  answers[i] = why or ''
  if not why then
    drop(job.pending, rank)
    if run > 1 then table.insert(job.ran, rank) end
    if job.room then job.room = job.room - 1 end
    job.changed, job.top = true, math.max(job.top, rank)
    lease(job, rank, run, id, node, alloc, others, row[7])
    if row[7] == 1 then invited[#invited + 1] = id end
    rows[#rows + 1] = '[' .. id .. ',' .. job.id .. ',' .. rank .. ',' .. run .. ',' .. alloc .. ']'
  end
end
for _, job in pairs(jobs) do
  if job and job.changed then
    if #job.ran > 0 then untag(job.again, ranges_of(job.ran)) end
    call('HSET', key_job(job.id), 'pending', to_text(job.pending), 'top', job.top, 'again', tags_text(job.again))
  end
end
local head = '"fence":' .. ARGV[1] .. ','
if #invited > 0 then head = head .. '"guests":[' .. table.concat(invited, ',') .. '],' end
tell_rows('start', head, rows)
flush()
publish()
return answers
