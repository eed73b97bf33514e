-- Stores verdicts on dependencies of submissions that still wait, and takes the questions off. A question that was taken
-- back meanwhile (by a requeue of what it waits for, or another dependency) is put again: the verdict on it is dropped.
-- lib: bits events fence blocks
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; then for each: job, dep (JSON), ready (text), corr, dead (range texts)
-- Returns how many were stored. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end

local rows, deps, gates = {}, {}, {}
for i = 2, #ARGV, 5 do
  local id, dep, ready, corr, dead = unpack(ARGV, i, i + 4)
  local asked = call('ZREM', key_asked, id) == 1
  local v = call('HMGET', key_job(id), 'ready', 'dep', 'pending', 'corr', 'dead', 'judged')
  local open = asked and v[1] and v[3] ~= '' and undecided(v[2], v[1], v[6], v[4])
  if open and (v[2] ~= dep or tonumber(ready) ~= tonumber(v[1]) or corr ~= (v[4] or '') or dead ~= (v[5] or '')) then
    call('HSET', key_job(id), 'dep', dep, 'ready', ready, 'corr', corr, 'dead', dead, 'judged', NOW)
    -- where nothing has to wake it any more
    if not undecided(dep, ready, NOW, corr) then wait_no_more(id, dep) end
    rows[#rows + 1] = '[' .. id .. ',' .. ready .. ']'
    deps[#deps + 1] = cjson.encode(dep)
    gates[#gates + 1] = '["' .. corr .. '","' .. dead .. '"]'
  end
end
tell_rows('judge', '"deps":[' .. table.concat(deps, ',') .. '],"gates":[' .. table.concat(gates, ',') .. '],', rows)
publish()
return #rows
