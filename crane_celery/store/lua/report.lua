-- Takes a node's report: runs that began, runs that ended, steps. Rows that say nothing new are passed over.
-- lib: pages ranges tags bits events later jobs blocks marks unrun pending wants guests ends epoch
-- KEYS   1 the prefix of all keys
-- ARGV   1 node; 2 its epoch; 3 its name as JSON; 4 JSON
--        {"began": [[id, run, at], ...], "ended": [[id, run, state, code, began_at, ended_at, reason, cpu_s, memory, deaths], ...],
--         "moved": [[id, run, state, at], ...], "steps": [[id, run, step, ended (1 or 0), row], ...]}
--        times and cpu_s as text; reason and row as JSON text
-- Returns how many rows said something new. Error STALE for an older epoch.
local node = ARGV[1]
local stale = outlived(node, ARGV[2])
if stale then return stale end

-- A step's end is not undone by a late word of its begin.
local function step(id, run, number, over, row)
  local text = string.format('%.0f', id)
  local known = call('HGET', key_el(text), 'run')
  if not known or tonumber(known) ~= run then return false end
  local field, value = known .. '.' .. number, over .. row
  local old = call('HGET', key_steps(text), field)
  if old == value or (old and string.sub(old, 1, 1) == '1') then return false end
  call('HSET', key_steps(text), field, value)
  return row
end

local told = cjson.decode(ARGV[4])
local head = '"node":' .. ARGV[3] .. ','
local began, moved, steps = {}, {}, {}
for _, r in ipairs(told.began) do
  local row = begin(node, r[1], r[2], r[3])
  if row then began[#began + 1] = row else guest_begins(node, r[1], r[2]) end
end
for _, r in ipairs(told.steps) do steps[#steps + 1] = step(r[1], r[2], r[3], r[4], r[5]) or nil end
for _, r in ipairs(told.moved) do moved[#moved + 1] = move(node, r[1], r[2], r[3], r[4]) or nil end
for _, r in ipairs(told.ended) do note_end(finish(node, r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10])) end
for _, row in ipairs(completing) do moved[#moved + 1] = row end
keep_begun()
tell_rows('begin', head, began)
tell_rows('step', head, steps)
tell_rows('move', head, moved)
tell_ends(head)
settle()
return #began + #steps + #moved + #ends['end'] + #ends.again
