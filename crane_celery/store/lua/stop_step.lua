-- Asks the leader to tell a node to stop one step of a run; the node passes over what it does not have.
-- lib: events
-- KEYS   1 the prefix of all keys
-- ARGV   1 id; 2 run; 3 node as JSON; 4 signal (0 = TERM, grace, KILL); 5 step
-- Returns 1.
tell('kill_step', string.format('{"rows":[[%s,%s,%s,%s,%s]]}', ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]))
publish()
return 1
