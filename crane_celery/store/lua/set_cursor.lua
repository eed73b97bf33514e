-- Moves a consumer's cursor on, never back.
-- lib: order
-- KEYS   1 the prefix of all keys
-- ARGV   1 consumer; 2 event that it has passed
-- Returns 1 when it moved.
local old = call('HGET', key_cursors, ARGV[1])
if old and not is_later(ARGV[2], old) then return 0 end
call('HSET', key_cursors, ARGV[1], ARGV[2])
return 1
