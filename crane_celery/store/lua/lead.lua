-- Takes or renews the leader's lease. Every taking, also by the same holder after its lease ran out, makes a new fence.
-- lib: events
-- KEYS   1 the prefix of all keys
-- ARGV   1 holder; 2 holder as JSON; 3 time to live in milliseconds
-- Returns the fence, or 0 while another holds it.
local holder = call('GET', key_leader)
if holder == ARGV[1] then
  call('PEXPIRE', key_leader, ARGV[3])
  return tonumber(call('GET', key_fence))
end
if holder then return 0 end
local fence = call('INCR', key_fence)
call('SET', key_leader, ARGV[1], 'PX', ARGV[3])
tell('lead', string.format('{"fence":%.0f,"holder":%s}', fence, ARGV[2]))
publish()
return fence
