-- Runs touched by one script call, and their end, whoever tells it. Needs jobs, later.
local HOLDING = { Starting = true, Running = true, Completing = true, Suspended = true }
local elements = {}

-- Run `run` (number) of element `id` (number) while it holds an allocation, with `node` as its first node, else false.
-- `node` may be nil = any.
local function held_run(node, id, run)
  local e = elements[id]
  if e == nil then
    local text = string.format('%.0f', id)
    local v = call('HMGET', key_el(text), 'job', 'rank', 'run', 'state', 'node', 'began', 'wide', 'cancelled')
    e = v[1] and { id = text, job = v[1], rank = v[2], run = v[3], number = tonumber(v[3]), state = v[4], node = v[5],
      began = v[6] or '0', wide = v[7], stopped = v[8] }
    elements[id] = e
  end
  if e and e.number == run and HOLDING[e.state] and (not node or e.node == node) then return e end
  return false
end

local function count_begin(e, id)
  local job = job_of(e.job)
  job.began = job.began + 1
  later('ZREM', key_leases(e.node), e.id .. ':' .. e.run)
  set_bit_later('began', id)
end

-- A run has begun at `at` (text). Returns the event's row, or false.
local function begin(node, id, run, at)
  local e = held_run(node, id, run)
  if not e or e.state ~= 'Starting' then return false end
  if tonumber(at) <= 0 or at > NOW then at = NOW end
  count_begin(e, id)
  e.state, e.began, e.changed = 'Running', at, true
  return '[' .. e.id .. ',' .. e.job .. ',' .. e.run .. ',' .. at .. ']'
end

-- Takes a run off the sets of the nodes that it held.
local function let_go(e)
  local member = e.id .. ':' .. e.run
  later('SREM', key_runs(e.node), member)
  if e.stopped and e.stopped ~= '' then later('HDEL', key_kills(e.node), member) end
  if e.wide then
    for _, part in ipairs(cjson.decode(call('HGET', key_el(e.id), 'alloc'))) do later('SREM', key_runs(part[1]), member) end
  end
end

-- Ends a run. state, code (number), began_at, ended_at, cpu, memory (text); reason (JSON text). Returns the event's row
-- or false.
local function finish(node, id, run, state, code, began_at, ended_at, reason, cpu, memory)
  local e = held_run(node, id, run)
  if not e then return false end
  if e.state == 'Starting' then count_begin(e, id) end
  if tonumber(began_at) <= 0 then began_at = e.began end
  if tonumber(ended_at) <= 0 or ended_at > NOW then ended_at = NOW end
  let_go(e)
  e.state, e.changed = state, false
  call('HSET', key_el(e.id), 'state', state, 'code', code, 'began', began_at, 'ended', ended_at, 'reason', reason)
  set_bit_later('ended', id)
  if state == 'Completed' then set_bit_later('ok', id) end
  local job = job_of(e.job)
  if job.array then later('ZREM', key_live(e.job), e.rank) end
  count_end(job, 1, state, code)
  return table.concat({ '[' .. e.id, e.job, e.rank, e.run, '"' .. state .. '"', code, began_at, ended_at, reason, cpu,
    memory, job.ended == job.count and 'true]' or 'false]' }, ',')
end

-- Writes the runs that have begun and not ended.
local function keep_begun()
  for _, e in pairs(elements) do
    if e and e.changed then call('HSET', key_el(e.id), 'state', e.state, 'began', e.began) end
  end
end
