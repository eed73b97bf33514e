-- A node's worker has started. On another boot than before, what ran there is written off, in portions, and the epoch grows.
-- lib: pages ranges tags bits events later jobs blocks marks unrun pending wants guests ends nodes lost
-- KEYS   1 the prefix of all keys
-- ARGV   1 node; 2 its name as JSON; then as JSON: 3 spec, 4 host, 5 driver, 6 version, 7 boot id, 8 reason of a write-off
-- Returns {epoch, {"id:run" that it is meant to be running}}; {} where a further call is to write off more first.
local name, key = ARGV[1], key_node(ARGV[1])
local boot = call('HGET', key, 'boot')
if boot and boot ~= ARGV[7] then
  local _, more = write_off(name, ARGV[8])
  tell_ends('"node":' .. ARGV[2] .. ',')
  if more then
    settle()
    return {}
  end
end
if boot ~= ARGV[7] then call('HINCRBY', key, 'epoch', 1) end
call('SADD', key_nodes, name)
call('HSET', key, 'spec', ARGV[3], 'heard', NOW, 'host', ARGV[4], 'driver', ARGV[5], 'version', ARGV[6], 'boot', ARGV[7])
call('HDEL', key, 'compare')
raise(name)
tell_node(name)
settle()
return { tonumber(call('HGET', key, 'epoch')), call('SMEMBERS', key_runs(name)) }
