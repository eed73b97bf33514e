-- Says what is wanted of a run from now on: kept for its node, and told by every heartbeat, until the run ends.
-- lib: events wants
-- KEYS   1 the prefix of all keys
-- ARGV   1 id; 2 run; 3 wanted (JSON object of numbers: limit, deadline, suspend), added to what was wanted before;
--        4 uid of who asked, or ""
-- Returns 1; 0 when the run is over, or is only to go on and is neither suspended nor about to be.
local e = call('HMGET', key_el(ARGV[1]), 'run', 'state', 'node')
if e[1] ~= ARGV[2] or not MAY_END[e[2]] then return 0 end
local more, n = cjson.decode(ARGV[3]), 0
for _ in pairs(more) do n = n + 1 end
if n == 1 and more.suspend == 0 and e[2] ~= 'Suspended' then
  local wanted = cjson.decode(call('HGET', key_orders(e[3]), ARGV[1] .. ':' .. ARGV[2]) or '{}')
  if (wanted.suspend or 0) == 0 then return 0 end
end
want(ARGV[1], ARGV[2], e[3], more)
if more.suspend and ARGV[4] ~= '' then call('HSET', key_el(ARGV[1]), 'ordered', 'u' .. ARGV[4]) end -- told with the move
publish()
return 1
