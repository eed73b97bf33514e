-- Runs whose nodes beside the first have a part in them, the guests: programs around the job. Needs later, events, wants.
--
-- Fields of such a run's record: `guests` 1; `unready` guests whose prolog has not ended; `parts` nodes that have not left;
-- `g:<node>` of each: w (its answer is awaited), r (ready), o (it has left); `ending` how the run will end (JSON of
-- finish's arguments), once that is known.

local function nodes_of(e)
  local names = {}
  for i, part in ipairs(cjson.decode(call('HGET', key_el(e.id), 'alloc'))) do names[i] = part[1] end
  return names
end

-- A guest is ready; when all are, the first may go. Says nothing of other runs, and nothing twice.
local function ready(e, node)
  local el = key_el(e.id)
  if call('HGET', el, 'g:' .. node) ~= 'w' then return end
  call('HSET', el, 'g:' .. node, 'r')
  later('ZREM', key_leases(node), e.id .. ':' .. e.run)
  if call('HINCRBY', el, 'unready', -1) == 0 then
    want(e.id, e.run, e.node, { go = 1 })
    e.ordered = e.ordered or '1' -- let_go has to know, should the run end in this very report
  end
end

-- Has all that have not left stop: told by heartbeats until they have, and once by the leader.
local function send_off(e)
  local member, rows = e.id .. ':' .. e.run, {}
  for _, name in ipairs(nodes_of(e)) do
    if call('HGET', key_el(e.id), 'g:' .. name) ~= 'o' then
      call('HSET', key_kills(name), member, 0)
      rows[#rows + 1] = '[' .. e.id .. ',' .. e.run .. ',' .. cjson.encode(name) .. ',0,1]'
    end
  end
  tell_rows('kill_step', '', rows)
end

-- Rows of `move` events of runs whose script has ended on the first node.
local completing = {}

-- The script has ended at `at` (text), and other nodes are still cleaning up.
local function complete(e, at)
  if not MAY_DRAIN[e.state] then return end
  if tonumber(at) <= 0 or at > NOW then at = NOW end
  e.state = 'Completing'
  call('HSET', key_el(e.id), 'state', e.state)
  completing[#completing + 1] = '[' .. e.id .. ',' .. e.job .. ',' .. e.run .. ',"Completing",' .. at .. ']'
end

-- Nothing is left of it on this node, where it ended so. Returns how the run ends, when all have left, else false.
-- How it ends is what its first node says, or the first guest that failed before the script began.
local function leave(e, node, how)
  local el, field, member = key_el(e.id), 'g:' .. node, e.id .. ':' .. e.run
  local phase = call('HGET', el, field)
  if not phase or phase == 'o' then return false end
  call('HSET', el, field, 'o')
  call('HDEL', key_kills(node), member)
  if phase == 'w' then later('ZREM', key_leases(node), member) end
  local ending = call('HGET', el, 'ending')
  if not ending and (node == e.node or (how[1] ~= 'Cancelled' and e.state == 'Starting')) then
    ending = cjson.encode(how)
    call('HSET', el, 'ending', ending)
    send_off(e)
    if tonumber(call('HGET', el, 'parts')) > 1 then complete(e, how[4]) end
  end
  return call('HINCRBY', el, 'parts', -1) == 0 and cjson.decode(ending)
end

-- The run has ended without them, since one of its nodes was written off: each compares what it has with the store.
local function compare(e)
  for _, name in ipairs(nodes_of(e)) do call('HSET', key_node(name), 'compare', 1) end
end
