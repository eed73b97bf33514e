-- Notes which nodes are drained towards which jobs, for the next leader and for people.
-- lib: fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 text, "" = none
-- Returns 1, or a STALE error.
local stale = fenced(ARGV[1])
if stale then return stale end
if ARGV[2] == '' then
  call('DEL', key_drains)
else
  call('SET', key_drains, ARGV[2])
end
return 1
