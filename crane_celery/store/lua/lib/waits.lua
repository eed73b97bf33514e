-- Makes `id` known to what it waits for, as long as that can run again. Needs blocks.
local function wait_for(id, dep)
  for _, b in ipairs(blocks(dep)) do
    local first, count, of = b[3], b[4], string.format('%.0f', b[2])
    local there = call('HMGET', key_job(of), 'count', 'waits')
    if there[1] then
      call('ZADD', key_waits(of), id, id)
      local whole = first == b[2] and count == tonumber(there[1]) and b[1] ~= 'aftercorr' and b[1] ~= 'expand'
      call('HSET', key_job(of), 'waits', whole and there[2] ~= 'p' and 'w' or 'p')
    end
  end
end

-- Gives a submission another dependency (JSON, "" = none) in place of `before`; text: as typed, JSON; changes: Job.changes
-- after it; by: "uid":N, or "". Needs events.
local function depend_on(id, before, dep, text, changes, by)
  stop_waiting(id, before)
  local ready = dep == '' and '0.0' or '-1.0'
  call('HSET', key_job(id), 'changes', changes, 'dep', dep, 'ready', ready, 'corr', '', 'dead', '', 'judged', '')
  call('ZREM', key_asked, id)
  call('ZREM', key_resolve, id)
  if dep ~= '' then
    wait_for(id, dep)
    call('ZADD', key_resolve, id, id)
  end
  tell('depend', string.format('{%s"job":%s,"text":%s,"dep":%s,"ready":%s,"changes":%s}', by, id, text, cjson.encode(dep),
    ready, cjson.encode(changes)))
end
