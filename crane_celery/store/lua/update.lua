-- Replaces what was changed of a submission, if it still is what the caller saw.
-- lib: events
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 changes as the caller saw them; 3 new changes; 4 event (JSON); 5 priority of the whole ("" = as it is);
--        6 throttle of the whole ("" = as it is); 7 policy of requeues ("" = as it is)
-- Returns 1, or 0 and nothing is done when somebody else changed it meanwhile. Error NOTFOUND.
local key = key_job(ARGV[1])
local v = call('HMGET', key, 'count', 'changes')
if not v[1] then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
if (v[2] or '') ~= ARGV[2] then return 0 end
call('HSET', key, 'changes', ARGV[3])
if ARGV[5] ~= '' then call('HSET', key, 'priority', ARGV[5]) end
if ARGV[6] ~= '' then call('HSET', key, 'throttle', ARGV[6]) end
if ARGV[7] ~= '' then call('HSET', key, 'policy', ARGV[7]) end
tell('update', ARGV[4])
publish()
return 1
