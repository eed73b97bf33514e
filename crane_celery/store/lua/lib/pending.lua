-- Ends pending ranks without a run. Needs ranges tags bits marks events later jobs blocks unrun.

-- Those of `ranks` (a set) that are pending end in this state. `job` is from job_of; `by` is JSON text of further keys of
-- the event (who, why). Returns how many ended.
local function end_pending(job, ranks, state, code, by)
  local base = tonumber(job.id)
  local v = call('HMGET', key_job(job.id), 'pending', 'held', 'dep', 'again', 'until', 'lapsed', 'unrun')
  local pending, held = to_ranges(v[1]), to_ranges(v[2])
  local hit = common(pending, ranks)
  if is_empty(hit) then return 0 end
  flush_bits()
  pending = minus(pending, hit)
  call('HSET', key_job(job.id), 'pending', to_text(pending), 'held', to_text(minus(held, hit)))
  if v[4] and v[4] ~= '' then -- what a revive would have to take back is this end, not that of the last run
    local lapsed = to_ranges(v[6] or '')
    local ran = {}
    for _, row in ipairs(to_tags(v[4])) do ran = union(ran, common(hit, row[1])) end
    mark('open', base, ran, false)
    call('HSET', key_job(job.id), 'lapsed', to_text(union(lapsed, ran)))
  end
  for _, field in ipairs({ 4, 5 }) do
    if v[field] and v[field] ~= '' then
      local tags = to_tags(v[field])
      untag(tags, hit)
      call('HSET', key_job(job.id), field == 4 and 'again' or 'until', tags_text(tags))
    end
  end
  if job.array then
    local unrun = unrun_of(job, v[7])
    tag(unrun, hit, end_number(state, code))
    call('HSET', key_job(job.id), 'unrun', tags_text(unrun))
  end
  mark('ended', base, hit, true)
  local n = size(hit)
  job.gone = job.gone + n
  count_end(job, n, state, code)
  if is_empty(pending) then stop_waiting(job.id, v[3]) end
  tell('cancel', string.format('{"job":%s,"ranks":"%s",%s,"done":%s}', job.id, to_text(hit), by,
    job.ended == job.count and 'true' or 'false'))
  return n
end

-- So many elements failed that the rest of the array does not start.
stop_rest = function(job)
  end_pending(job, { 0, job.count - 1 }, 'Cancelled', 320, '"uid":0,"reason":"too many of its elements failed"')
end
