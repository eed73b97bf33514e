-- Asks the leader to send a node's unanswered leases again.
-- lib: events
-- KEYS   1 the prefix of all keys
-- ARGV   1 node as JSON
-- Returns 1.
tell('nudge', '{"node":' .. ARGV[1] .. '}')
publish()
return 1
