-- Holds or releases pending ranks.
-- lib: ranges tags events
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 hold or release; 4 server time at which a hold ends by itself, 0 = never
-- Returns how many ranks changed. Error NOTFOUND for an unknown job.
local v = call('HMGET', key_job(ARGV[1]), 'count', 'pending', 'held', 'until')
if not v[1] then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local pending, held, tags = to_ranges(v[2]), to_ranges(v[3]), to_tags(v[4])
local at = ARGV[3] == 'hold' and tonumber(ARGV[4]) or 0
local asked = ARGV[2] == '' and pending or common(pending, to_ranges(ARGV[2]))
local changed = ARGV[3] == 'hold' and minus(asked, held) or common(asked, held)
held = ARGV[3] == 'hold' and union(held, changed) or minus(held, changed)
local before = tags_text(tags)
untag(tags, asked)
if at > 0 then tag(tags, asked, at) end
local timed = tags_text(tags)
if #changed > 0 or timed ~= before then
  call('HSET', key_job(ARGV[1]), 'held', to_text(held), 'until', timed)
  tell(ARGV[3], string.format('{"job":%s,"ranks":"%s","until":%.14g}', ARGV[1], to_text(asked), at))
  publish()
end
return size(changed)
