-- Says what is wanted of a run from now on: kept for its node, and told by every heartbeat, until the run ends.
-- lib: events
-- KEYS   1 the prefix of all keys
-- ARGV   1 id; 2 run; 3 wanted (JSON object of numbers: limit, deadline, suspend), added to what was wanted before;
--        4 uid of who asked, or ""
-- Returns 1; 0 when the run is over, or is only to go on and is neither suspended nor about to be.
local HOLDING = { Starting = true, Running = true, Completing = true, Suspended = true }
local e = call('HMGET', key_el(ARGV[1]), 'run', 'state', 'node')
if e[1] ~= ARGV[2] or not HOLDING[e[2]] then return 0 end
local member = ARGV[1] .. ':' .. ARGV[2]
local wanted = cjson.decode(call('HGET', key_orders(e[3]), member) or '{}')
local more, n = cjson.decode(ARGV[3]), 0
for _ in pairs(more) do n = n + 1 end
if n == 1 and more.suspend == 0 and e[2] ~= 'Suspended' and (wanted.suspend or 0) == 0 then return 0 end
for name, value in pairs(more) do wanted[name] = value end
local names, out = {}, {}
for name in pairs(wanted) do names[#names + 1] = name end
table.sort(names)
for i, name in ipairs(names) do out[i] = string.format('"%s":%.14g', name, wanted[name]) end
local text = '{' .. table.concat(out, ',') .. '}'
call('HSET', key_orders(e[3]), member, text)
call('HSETNX', key_el(ARGV[1]), 'ordered', 1)
if more.suspend and ARGV[4] ~= '' then call('HSET', key_el(ARGV[1]), 'ordered', 'u' .. ARGV[4]) end -- told with the move
tell('order', '{"rows":[[' .. ARGV[1] .. ',' .. ARGV[2] .. ',' .. cjson.encode(e[3]) .. ',' .. text .. ']]}')
publish()
return 1
