-- Takes ends back: elements that had ended are pending again. Needs ranges tags bits marks events jobs unrun blocks waits
-- reopen.

-- The whole record as JSON, for those who have forgotten it.
local function job_json(id)
  local v = call('HMGET', key_job(id), 'count', 'at', 'pending', 'held', 'ready', 'dep', 'priority', 'began', 'ended', 'ok',
    'code', 'state', 'changes', 'again', 'until', 'judged', 'gone', 'corr', 'dead')
  local text = { ['dep'] = v[6], ['changes'] = v[13] or '', ['again'] = v[14] or '', ['until'] = v[15] or '' }
  local out = {}
  for name, value in pairs(text) do out[#out + 1] = '"' .. name .. '":' .. cjson.encode(value) end
  local state = v[12] ~= '' and '"' .. v[12] .. '"' or 'null'
  return string.format('{"id":%s,"spec":%s,"count":%s,"submitted_at":%s,"pending":"%s","held":"%s","ready":%s,'
    .. '"priority":%s,"began":%s,"ended":%s,"ok":%s,"worst_code":%s,"worst_state":%s,"judged_at":%s,"gone":%s,"corr":"%s","dead":"%s",%s}',
    id, call('GET', key_spec(id)), v[1], v[2], v[3], v[4], v[5], v[7], v[8], v[9], v[10], v[11], state,
    v[16] and v[16] ~= '' and v[16] or '0', v[17], v[18] or '', v[19] or '', table.concat(out, ','))
end

-- The worst state and the highest code of the ends that are left. `unrun`: lib/unrun.lua.
local function worst_left(job, unrun)
  if job.ended == 0 then return '', 0 end
  local plain, known, worst, highest = job.ok, job.ok, nil, 0
  local function take(state, code, n)
    if n == 0 then return end
    known = known + n
    if not worst or WORSE[state] > WORSE[worst] then worst = state end
    highest = math.max(highest, code)
  end
  for way, n in pairs(ways_of(job)) do
    local state, code = string.match(way, '^(%a+):(%d+)$')
    take(state, tonumber(code), n)
    if state == 'Completed' then plain, known = plain - n, known - n end
  end
  for _, row in ipairs(unrun) do
    local state, code = end_of(row[2])
    take(state, code, size(row[1]))
  end
  if plain > 0 and not worst then worst = 'Completed' end
  if known ~= job.ended then return job.state, job.code end -- some ended before these were counted
  return worst, highest
end

-- rows: {{rank, last run, state, code}, ...} of elements that have ended after a run; fresh: a set of those that never ran;
-- pending: the ranks that are (ranges); by: "uid":N, or "".
local function revive(job, pending, rows, fresh, hold, by)
  local base, ids, runs = tonumber(job.id), {}, {}
  local v = call('HMGET', key_job(job.id), 'held', 'again', 'lapsed', 'unrun')
  local held, again, unrun = to_ranges(v[1]), to_tags(v[2]), unrun_of(job, v[4])
  local lapsed = to_ranges(v[3] or '')
  for i, row in ipairs(rows) do
    ids[i] = row[1]
    put_bit('ended', base + row[1], 0)
    put_bit('open', base + row[1], 1)
    put_bit('lost', base + row[1], 0)
    if place(lapsed, row[1]) then
      job.gone = job.gone - 1
    else
      count_way(job, row[3], row[4], -1)
      if row[3] == 'Completed' then
        put_bit('ok', base + row[1], 0)
        job.ok = job.ok - 1
      end
    end
    runs[row[2]] = runs[row[2]] or {}
    table.insert(runs[row[2]], row[1])
  end
  for run, some in pairs(runs) do tag(again, ranges_of(some), run) end
  mark('ended', base, fresh, false)
  local n, ranks = #rows + size(fresh), union(ranges_of(ids), fresh)
  local was_over = job.ended == job.count
  job.gone, job.ended = job.gone - size(fresh), job.ended - n
  untag(unrun, ranks)
  job.state, job.code = worst_left(job, unrun)
  pending = union(pending, ranks)
  if hold then held = union(held, ranks) end
  call('HSET', key_job(job.id), 'pending', to_text(pending), 'held', to_text(held), 'again', tags_text(again), 'ended',
    job.ended, 'ok', job.ok, 'gone', job.gone, 'lapsed', to_text(minus(lapsed, ranks)), 'unrun', tags_text(unrun), 'ways',
    ways_text(job), 'code', job.code, 'state', job.state)
  call('HDEL', key_job(job.id), 'done')
  call('ZREM', key_done, job.id)
  call('HDEL', key_ends, job.id)
  call('ZADD', key_alive, job.id, job.id)
  if was_over then count_submission(job, 1) end
  flush_counted()
  rejudge(job.id)
  tell('revive', string.format('{%s"job":%s,"ranks":"%s","held":%s}', by, job_json(job.id), to_text(ranks),
    hold and 'true' or 'false'))
  if job.waits ~= '' then reopen_first(job.id) end
  return n
end
