-- A node is alive: notes when, raises it from down, answers with what it seems not to know.
-- lib: events nodes epoch
-- KEYS   1 the prefix of all keys
-- ARGV   1 node; 2 its epoch; 3 age in seconds from which a lease is stale; 4 its load
-- Returns {now, {"id:run" of up to 1000 stale leases, oldest first}, {"id:run", signal, ...},
--         {"id:run", what is wanted of it (JSON), ...}}. Error STALE.
local name = ARGV[1]
local stale = outlived(name, ARGV[2])
if stale then return stale end
call('HSET', key_node(name), 'heard', NOW, 'load', ARGV[4])
local v = call('HMGET', key_node(name), 'state', 'off', 'compare')
if v[3] == '1' then return redis.error_reply('STALE another node of a run was written off: compare what runs here') end
if v[1] == 'down' and v[2] ~= '1' then
  raise(name)
  tell_node(name)
  publish()
end
local before = string.format('%.6f', tonumber(NOW) - tonumber(ARGV[3]))
local unanswered = call('ZRANGEBYSCORE', key_leases(name), '-inf', before, 'LIMIT', 0, 1000)
if #unanswered == 0 then -- of an age that nobody knows, since the clock was set back
  unanswered = call('ZRANGEBYSCORE', key_leases(name), '(' .. NOW, '+inf', 'LIMIT', 0, 1000)
end
return { NOW, unanswered, call('HGETALL', key_kills(name)), call('HGETALL', key_orders(name)) }
