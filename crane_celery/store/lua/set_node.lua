-- Drains, resumes or downs a node by an operator's word. Drain and down outlast the node's restarts.
-- lib: events nodes
-- KEYS   1 the prefix of all keys
-- ARGV   1 node; 2 state (up, drain, down); 3 reason as JSON
-- Returns 1. Error NOTFOUND for a node that never registered.
local key = key_node(ARGV[1])
if call('EXISTS', key) == 0 then return redis.error_reply('NOTFOUND node ' .. ARGV[1]) end
if ARGV[2] == 'up' then call('HDEL', key, 'drain', 'off')
else call('HSET', key, 'drain', ARGV[3], 'off', ARGV[2] == 'down' and 1 or 0) end
call('HSET', key, 'state', ARGV[2], 'reason', ARGV[3])
tell_node(ARGV[1])
publish()
return 1
