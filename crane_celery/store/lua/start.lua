-- Commits starts: each is checked again against what is true now; those that hold become leases of their nodes.
-- lib: ranges events jobs fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 JSON rows [job, rank, run, node, allocation (JSON text), other nodes or 0]
-- Returns one text for each row: "" = accepted, else why not. Error STALE for an older fence.
local stale = fenced(ARGV[1])
if stale then return stale end

local now, states = tonumber(NOW), {}
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

local function refusal(job, rank, run, node, others)
  if not job then return 'no such job' end
  if job.ready < 0 or job.ready > now then return 'not ready' end
  if not place(job.pending, rank) then return 'not pending' end
  if place(job.held, rank) then return 'held' end
  local why = not_up(node) or (others ~= 0 and none_up(others))
  if why then return why end
  local earlier = rank <= job.top and call('HGET', key_el(string.format('%.0f', job.base + rank)), 'run')
  return earlier and tonumber(earlier) >= run and 'run ' .. run .. ' is over'
end

local answers, rows = {}, {}
for i, row in ipairs(cjson.decode(ARGV[2])) do
  local rank, run, node, alloc, others = row[2], row[3], row[4], row[5], row[6]
  local job = job_of(row[1])
  local why = refusal(job, rank, run, node, others)
  answers[i] = why or ''
  if not why then
    local id = string.format('%.0f', job.base + rank)
    local member = id .. ':' .. run
    drop(job.pending, rank)
    job.ranges_changed, job.top = true, math.max(job.top, rank)
    call('HSET', key_el(id), 'job', job.id, 'rank', rank, 'run', run, 'state', 'Starting', 'alloc', alloc, 'node', node,
      'leased', NOW, 'began', '0', 'ended', '0', 'code', 0, 'reason', '', 'cancelled', '', 'wide', others ~= 0 and '1' or '')
    call('ZADD', key_leases(node), NOW, member)
    call('SADD', key_runs(node), member)
    if others ~= 0 then
      for _, other in ipairs(others) do call('SADD', key_runs(other), member) end
    end
    if job.array then call('ZADD', key_live(job.id), rank, rank) end
    rows[#rows + 1] = '[' .. id .. ',' .. job.id .. ',' .. rank .. ',' .. run .. ',' .. alloc .. ']'
  end
end
tell_rows('start', '"fence":' .. ARGV[1] .. ',', rows)
settle()
return answers
