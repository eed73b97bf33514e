-- Gives the leader's lease up, if it is ours.
-- lib:
-- KEYS   1 the prefix of all keys
-- ARGV   1 holder
-- Returns 1 when it was ours.
if call('GET', key_leader) ~= ARGV[1] then return 0 end
return call('DEL', key_leader)
