-- Writes a node off: down, a new epoch, its runs ended as Failed with the code for a lost node, in portions.
-- lib: pages ranges tags bits events later jobs blocks marks unrun pending wants guests ends nodes lost fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 node; 3 its name as JSON; 4 reason as JSON; 5 1 = the next portion: down it is already
-- Returns {1 when a further call would end more, the ids of the runs...}. Nothing happens to a node that is down already and holds nothing. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end
local name = ARGV[2]
local state = call('HGET', key_node(name), 'state')
if not state or (state == 'down' and call('SCARD', key_runs(name)) == 0) then return { 0 } end
local ids, more = write_off(name, ARGV[4])
tell_ends('"node":' .. ARGV[3] .. ',')
if ARGV[5] ~= '1' then
  call('HSET', key_node(name), 'state', 'down', 'reason', ARGV[4])
  call('HINCRBY', key_node(name), 'epoch', 1)
  tell_node(name)
end
settle()
return { more and 1 or 0, unpack(ids) }
