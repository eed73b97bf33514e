-- Ends pending ranks by the leader's word: at their deadline, or since their dependency can never be met.
-- lib: pages ranges tags bits events later jobs blocks marks unrun pending fence
-- KEYS   1 the prefix of all keys
-- ARGV   1 fence; 2 job; 3 ranks (range text, "" = all); 4 state; 5 code; 6 reason as JSON;
--        7 1 = only ranks that by the present verdict can never start
-- Returns how many ended. Error STALE.
local stale = fenced(ARGV[1])
if stale then return stale end
local job = job_of(ARGV[2])
if not job then return 0 end
local ranks = ARGV[3] == '' and { 0, job.count - 1 } or common(to_ranges(ARGV[3]), { 0, job.count - 1 })
if ARGV[7] == '1' then
  local v = call('HMGET', key_job(job.id), 'ready', 'dead')
  if tonumber(v[1]) ~= -2 then ranks = common(ranks, to_ranges(v[2] or '')) end
end
local by = string.format('"uid":0,"state":"%s","code":%s,"reason":%s', ARGV[4], ARGV[5], ARGV[6])
local n = end_pending(job, ranks, ARGV[4], tonumber(ARGV[5]), by)
settle()
return n
