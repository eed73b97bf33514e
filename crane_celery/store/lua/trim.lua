-- Drops what every consumer has passed. Recorder and leader count from the start even if they never came. The entry at
-- the lowest cursor stays: so a cursor below the oldest entry always means a gap, and the newest id is never lost.
-- lib: order
-- KEYS   1 the prefix of all keys
-- ARGV   none
-- Returns how many entries went.
local cursors, lowest = call('HGETALL', key_cursors), nil
local seen = {}
for i = 1, #cursors, 2 do
  seen[cursors[i]] = true
  if not lowest or is_later(lowest, cursors[i + 1]) then lowest = cursors[i + 1] end
end
if not (seen.recorder and seen.leader) then return 0 end
local newest = call('XREVRANGE', key_events, '+', '-', 'COUNT', 1)[1]
if not newest then return 0 end
return call('XTRIM', key_events, 'MINID', '=', is_later(lowest, newest[1]) and newest[1] or lowest)
