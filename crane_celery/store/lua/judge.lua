-- Stores verdicts on dependencies of submissions that still wait, and takes the questions off.
-- lib: events fence blocks
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; then for each: job, dep (JSON), ready (text)
-- Returns how many were stored. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end

local rows, deps = {}, {}
for i = 2, #ARGV, 3 do
  local id, dep, ready = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  call('ZREM', key_asked, id)
  local v = call('HMGET', key_job(id), 'ready', 'dep', 'pending')
  if v[1] and tonumber(v[1]) == -1 and v[3] ~= '' and (v[2] ~= dep or tonumber(ready) ~= -1) then
    call('HSET', key_job(id), 'dep', dep, 'ready', ready, 'judged', NOW)
    if tonumber(ready) ~= -1 then stop_waiting(id, dep) end -- nothing has to wake it any more
    rows[#rows + 1] = '[' .. id .. ',' .. ready .. ']'
    deps[#deps + 1] = cjson.encode(dep)
  end
end
tell_rows('judge', '"deps":[' .. table.concat(deps, ',') .. '],', rows)
publish()
return #rows
