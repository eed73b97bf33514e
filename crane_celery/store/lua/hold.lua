-- Holds or releases pending ranks.
-- lib: ranges events
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 hold or release
-- Returns how many ranks changed. Error NOTFOUND for an unknown job.
local v = call('HMGET', key_job(ARGV[1]), 'count', 'pending', 'held')
if not v[1] then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local pending, held = to_ranges(v[2]), to_ranges(v[3])
local asked = ARGV[2] == '' and pending or common(pending, to_ranges(ARGV[2]))
local changed = ARGV[3] == 'hold' and minus(asked, held) or common(asked, held)
if #changed > 0 then
  held = ARGV[3] == 'hold' and union(held, changed) or minus(held, changed)
  call('HSET', key_job(ARGV[1]), 'held', to_text(held))
  tell(ARGV[3], '{"job":' .. ARGV[1] .. ',"ranks":"' .. to_text(changed) .. '"}')
  publish()
end
return size(changed)
