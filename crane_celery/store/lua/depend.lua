-- Gives a submission that has pending ranks another dependency, or none, if it still is as the caller saw it.
-- lib: bits events blocks waits
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 changes as the caller saw them; 3 new changes; 4 dep (JSON or ""); 5 text as JSON;
--        6 who asked: "uid":N, or ""
-- Returns 1; 0, and nothing is done, when somebody else changed it meanwhile; -1 when nothing of it is pending.
-- Error NOTFOUND for an unknown job, and for a dependee that was never given out.
local id, dep, key = ARGV[1], ARGV[4], key_job(ARGV[1])
local v = call('HMGET', key, 'pending', 'dep', 'changes')
if not v[1] then return redis.error_reply('NOTFOUND job ' .. id) end
local missing = dep ~= '' and unknown(dep, tonumber(call('GET', key_next)))
if missing then return redis.error_reply(string.format('NOTFOUND job %.0f', missing)) end
if v[1] == '' then return -1 end
if (v[3] or '') ~= ARGV[2] then return 0 end
depend_on(id, v[2], dep, ARGV[5], ARGV[3], ARGV[6])
publish()
return 1
