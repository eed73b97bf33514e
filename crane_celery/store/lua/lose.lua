-- Writes a node off: down, a new epoch, its runs ended as Failed with the code for a lost node.
-- lib: pages ranges tags bits events later jobs blocks marks pending ends nodes lost fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 node; 3 its name as JSON; 4 reason as JSON
-- Returns the ids of the runs. Nothing happens to a node that is down already and holds nothing. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end
local name = ARGV[2]
local state = call('HGET', key_node(name), 'state')
if not state or (state == 'down' and call('SCARD', key_runs(name)) == 0) then return {} end
local ids = write_off(name, ARGV[4])
call('HSET', key_node(name), 'state', 'down', 'reason', ARGV[4])
call('HINCRBY', key_node(name), 'epoch', 1)
tell_ends('"node":' .. ARGV[3] .. ',')
tell_node(name)
settle()
return ids
