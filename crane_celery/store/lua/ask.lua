-- Queues dependants to be judged, for a reason that the server does not see (an earlier job of the same name is over).
-- lib: fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; then the submissions' ids
-- Returns 1. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end
for i = 2, #ARGV do
  if call('HEXISTS', key_job(ARGV[i]), 'dep') == 1 then call('ZADD', key_resolve, ARGV[i], ARGV[i]) end
end
return 1
