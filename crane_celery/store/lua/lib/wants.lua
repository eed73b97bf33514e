-- What is wanted of a run. Needs events.

-- Adds to what was wanted of it before; returns all of it as JSON, with its names in order.
local function and_before(node, member, given)
  local wanted = cjson.decode(call('HGET', key_orders(node), member) or '{}')
  for name, value in pairs(given) do wanted[name] = value end
  local names, out = {}, {}
  for name in pairs(wanted) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do out[i] = string.format('"%s":%.14g', name, wanted[name]) end
  return '{' .. table.concat(out, ',') .. '}'
end

-- Keeps it for the run's node, which is told by every heartbeat until the run ends, and tells the leader. id, run: text.
local function want(id, run, node, given)
  local text = and_before(node, id .. ':' .. run, given)
  call('HSET', key_orders(node), id .. ':' .. run, text)
  call('HSETNX', key_el(id), 'ordered', 1)
  tell('order', '{"rows":[[' .. id .. ',' .. run .. ',' .. cjson.encode(node) .. ',' .. text .. ']]}')
end
