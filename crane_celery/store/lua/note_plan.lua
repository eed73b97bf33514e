-- Notes what the leader's last plan says, for people and for the next leader; an event tells who watches.
-- lib: fence events
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 text, "" = none
-- Returns 1, or a STALE error.
local stale = fenced(ARGV[1])
if stale then return stale end
if ARGV[2] == '' then
  call('DEL', key_plan)
else
  call('SET', key_plan, ARGV[2])
end
tell('plan', '{}')
publish()
return 1
