-- Moves a consumer's cursor on, never back.
-- lib: order
-- KEYS   1 the prefix of all keys
-- ARGV   1 consumer; 2 event that it has passed
-- Returns 1 when it moved. The stream key_passed has one entry, whose id is the event: who waits for it reads that.
local old = call('HGET', key_cursors, ARGV[1])
if old and not is_later(ARGV[2], old) then return 0 end
call('HSET', key_cursors, ARGV[1], ARGV[2])
if is_later(ARGV[2], '0') then call('XADD', key_passed(ARGV[1]), 'MAXLEN', 1, ARGV[2], 'c', 1) end
return 1
