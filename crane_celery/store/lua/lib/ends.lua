-- Runs touched by one script call, and their end, whoever tells it. Needs ranges, tags, bits, events, jobs, later, guests.
local elements = {}

-- Run `run` (number) of element `id` (number) while it holds an allocation, with `node` as its first node, else false.
-- `node` may be nil = any.
local function held_run(node, id, run)
  local e = elements[id]
  if e == nil then
    local text = string.format('%.0f', id)
    local v = call('HMGET', key_el(text), 'job', 'rank', 'run', 'state', 'node', 'began', 'wide', 'cancelled',
      'then', 'ordered', 'susp_at', 'susp_s', 'parts')
    e = v[1] and { id = text, job = v[1], rank = v[2], run = v[3], number = tonumber(v[3]), state = v[4], node = v[5],
      began = v[6] or '0', wide = v[7], stopped = v[8], next = v[9] or '',
      ordered = v[10], susp_at = tonumber(v[11] or 0), susp_s = tonumber(v[12] or 0), parts = v[13] }
    elements[id] = e
  end
  if e and e.number == run and MAY_END[e.state] and (not node or e.node == node) then return e end
  return false
end

local function answer_lease(e)
  later('ZREM', key_leases(e.node), e.id .. ':' .. e.run)
end

-- An element begins once, however often it runs.
local function count_begin(e, id)
  if e.number > 1 and count_begun(id, 1) == 1 then return end
  local job = job_of(e.job)
  job.began = job.began + 1
  bit_later('open', id, 1)
end

-- A run has begun at `at` (text). Returns the event's row, or false.
local function begin(node, id, run, at)
  local e = held_run(node, id, run)
  if not e or not MAY_BEGIN[e.state] then return false end
  if tonumber(at) <= 0 or at > NOW then at = NOW end
  answer_lease(e)
  count_begin(e, id)
  e.state, e.began, e.changed = 'Running', at, true
  return '[' .. e.id .. ',' .. e.job .. ',' .. e.run .. ',' .. at .. ']'
end

-- Takes a run off the sets of the nodes that it held.
local function let_go(e)
  local member = e.id .. ':' .. e.run
  later('SREM', key_runs(e.node), member)
  if e.stopped and e.stopped ~= '' then later('HDEL', key_kills(e.node), member) end
  if e.ordered then later('HDEL', key_orders(e.node), member) end
  if e.wide then
    for _, name in ipairs(nodes_of(e)) do
      later('SREM', key_runs(name), member)
      if e.parts then
        later('ZREM', key_leases(name), member)
        later('HDEL', key_kills(name), member)
      end
    end
  end
end

-- A node that is not the run's first, or repeats itself, tells of a begin.
local function guest_begins(node, id, run)
  local e = held_run(nil, id, run)
  if e and e.parts then ready(e, node) end
end

-- A run was stopped or goes on at `at` (text). Returns the event's row, or false.
local function move(node, id, run, state, at)
  local e = held_run(node, id, run)
  local may = state == 'Suspended' and MAY_SUSPEND or MAY_RESUME
  if not e or not may[e.state] then return false end
  if tonumber(at) <= 0 or at > NOW then at = NOW end
  if state == 'Suspended' then e.susp_at = tonumber(at)
  else
    e.susp_s, e.susp_at = e.susp_s + math.max(0, tonumber(at) - e.susp_at), 0
  end
  e.state = state
  call('HSET', key_el(e.id), 'state', state, 'susp_at', string.format('%.6f', e.susp_at), 'susp_s',
    string.format('%.6f', e.susp_s))
  local uid = string.match(e.ordered or '', '^u(%d+)$')
  return '[' .. e.id .. ',' .. e.job .. ',' .. e.run .. ',"' .. state .. '",' .. at .. (uid and ',' .. uid or '') .. ']'
end

-- What follows this end: 'requeue', 'hold' or nothing. The same rule as lifecycle/requeue.py.
local function follows(e, state, code)
  if e.stopped == '1' then return false end
  if e.next ~= '' then return e.next end
  if NEVER_BY_POLICY[state] then return false end
  local policy, most = string.match(job_of(e.job).policy, '^(%a+):(%d+)')
  if not policy or policy == 'never' or (policy == 'node' and not NODE_CODES[code]) then return false end
  return e.number > tonumber(most) and 'hold' or 'requeue'
end

-- Counts an end that nothing follows.
local function over(e, id, state, code)
  local job = job_of(e.job)
  if e.state == 'Starting' then count_begin(e, id) end
  bit_later('open', id, 0)
  bit_later('ended', id, 1)
  if state == 'Completed' then bit_later('ok', id, 1) end
  if LOST[code] then bit_later('lost', id, 1) end
  count_end(job, 1, state, code)
  count_way(job, state, code, 1)
  if job.array and state ~= 'Completed' and state ~= 'Cancelled' then stop_after_failures(job) end
  return job.ended == job.count and 'true' or 'false'
end

-- Ends a run. state, code (number), began_at, ended_at, cpu (text), memory, deaths (numbers); reason (JSON text). Returns the event's row
-- and its kind (end, or again where another run follows), or false.
local function finish(node, id, run, state, code, began_at, ended_at, reason, cpu, memory, deaths)
  local e = held_run(nil, id, run)
  if not e then return false end
  if node and e.parts then
    local how = leave(e, node, { state, code, began_at, ended_at, reason, cpu, memory, deaths })
    if not how then return false end
    state, code, began_at, ended_at, reason, cpu, memory, deaths = unpack(how)
  elseif node and e.node ~= node then return false
  elseif not node and e.wide then compare(e)
  end
  if tonumber(began_at) <= 0 then began_at = e.began end
  if tonumber(ended_at) <= 0 or ended_at > NOW then ended_at = NOW end
  let_go(e)
  local after = follows(e, state, code)
  if e.state == 'Starting' then answer_lease(e) end
  local last
  if after then
    last = after == 'hold' and 'true' or 'false'
    give_back(job_of(e.job), tonumber(e.rank), e.number, after == 'hold')
  else
    last = over(e, id, state, code)
  end
  e.state, e.changed = state, false
  call('HSET', key_el(e.id), 'state', state, 'code', code, 'began', began_at, 'ended', ended_at, 'reason', reason)
  if deaths > 0 then call('HSET', key_el(e.id), 'memory_deaths', deaths) end
  if job_of(e.job).array then later('ZREM', key_live(e.job), e.rank) end
  local row = table.concat({ '[' .. e.id, e.job, e.rank, e.run, '"' .. state .. '"', code, began_at, ended_at, reason, cpu,
    string.format('%.0f', memory), deaths, last .. ']' }, ',')
  return row, after and 'again' or 'end'
end

-- Events of the ends of one script: rows by kind.
local ends = { ['end'] = {}, again = {} }

local function note_end(row, kind)
  if row then table.insert(ends[kind], row) end
end

local function tell_ends(head)
  tell_rows('end', head, ends['end'])
  tell_rows('again', head, ends.again)
end

-- Writes the runs that have begun and not ended.
local function keep_begun()
  for _, e in pairs(elements) do
    if e and e.changed then call('HSET', key_el(e.id), 'state', e.state, 'began', e.began) end
  end
end
