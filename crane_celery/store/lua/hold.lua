-- Holds or releases pending ranks.
-- lib: pages ranges tags events
-- KEYS   1 the prefix of all keys
-- ARGV   1 job; 2 ranks (range text, "" = all); 3 hold or release; 4 server time at which a hold ends by itself, 0 = never;
--        5 who asked: "uid":N, or ""
-- Returns 1 when that was news. Error NOTFOUND for an unknown job.
local v = call('HMGET', key_job(ARGV[1]), 'count', 'pending', 'held', 'until')
if not v[1] then return redis.error_reply('NOTFOUND job ' .. ARGV[1]) end
local all, on = ARGV[2] == '', ARGV[3] == 'hold'
local pending, held, tags = to_ranges(v[2]), to_ranges(v[3]), to_tags(v[4])
local at = on and tonumber(ARGV[4]) or 0
local asked = all and pending or common(pending, to_ranges(ARGV[2]))
if all then held, tags = on and pending or {}, {} -- what is held, or has a time, is pending
else
  held = on and union(held, asked) or minus(held, asked)
  untag(tags, asked)
end
if at > 0 then tag(tags, asked, at) end
local now, timed = to_text(held), tags_text(tags)
if now == v[3] and timed == (v[4] or '') then return 0 end
call('HSET', key_job(ARGV[1]), 'held', now, 'until', timed)
tell(ARGV[3], string.format('{%s"job":%s,"ranks":"%s","until":%.14g}', ARGV[5], ARGV[1], to_text(asked), at))
publish()
return 1
