-- The end of a run, whoever tells it. Needs jobs, bits.
local HOLDING = { Starting = true, Running = true, Completing = true, Suspended = true }

-- Takes a run off the sets of the nodes that it held.
local function let_go(node, wide, alloc, member, cancelled, began)
  call('SREM', key_runs(node), member)
  if not began then call('ZREM', key_leases(node), member) end
  if cancelled then call('HDEL', key_kills(node), member) end
  if not wide then return end
  for _, part in ipairs(cjson.decode(alloc)) do call('SREM', key_runs(part[1]), member) end
end

-- Ends run `run` (number) of element `id` (number), unless it has ended, is unknown, or is not `node`'s.
-- state, code (number), began_at, ended_at, cpu, memory (text); reason (JSON text). Returns the event's row, or false.
local function finish(node, id, run, state, code, began_at, ended_at, reason, cpu, memory)
  local key = key_el(string.format('%.0f', id))
  local e = call('HMGET', key, 'job', 'rank', 'run', 'state', 'node', 'began', 'wide', 'cancelled', 'alloc')
  if not e[1] or tonumber(e[3]) ~= run or not HOLDING[e[4]] then return false end
  if node and e[5] ~= node then return false end
  local member = string.format('%.0f:%s', id, e[3])
  local job = job_of(e[1])
  local starting = e[4] == 'Starting'
  if tonumber(began_at) <= 0 then began_at = e[6] end
  if tonumber(ended_at) <= 0 or ended_at > NOW then ended_at = NOW end
  call('HSET', key, 'state', state, 'code', code, 'began', began_at, 'ended', ended_at, 'reason', reason)
  let_go(e[5], e[7] == '1', e[9], member, e[8] ~= '', not starting)
  if starting then
    job.began = job.began + 1
    set_bits('began', id, 1)
  end
  set_bits('ended', id, 1)
  if state == 'Completed' then set_bits('ok', id, 1) end
  if job.array then call('ZREM', key_live(e[1]), e[2]) end
  count_end(job, 1, state, code)
  return string.format('[%.0f,%s,%s,%s,"%s",%d,%s,%s,%s,%s,%s,%s]', id, e[1], e[2], e[3], state, code, began_at,
    ended_at, reason, cpu, memory, job.ended == job.count and 'true' or 'false')
end
