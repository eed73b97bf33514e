-- Writes of one script call that many rows share, gathered and sent as one command for each key: a call into the server
-- costs more than the work it does.
local writes, write_order = {}, {}

-- Adds one or two arguments to `command key`.
local function later(command, key, one, two)
  local name = command .. key
  local w = writes[name]
  if not w then
    w = { command = command, key = key, n = 0 }
    writes[name], write_order[#write_order + 1] = w, w
  end
  w[w.n + 1] = one
  w.n = w.n + 1
  if two then
    w[w.n + 1] = two
    w.n = w.n + 1
  end
end

local bits, all_set = {}, {}
for wide = 1, 32 do all_set[wide] = string.format('%d', 2 ^ wide - 1) end

-- Sets (1) or clears (0) one bit, the last word counts; all bits of one chunk go as one BITFIELD.
local function bit_later(kind, id, value)
  local at = id % 1048576
  local key = key_bits(kind .. ':' .. string.format('%d', (id - at) / 1048576))
  bits[key] = bits[key] or {}
  bits[key][at] = value
end

-- The arguments of BITFIELD for bits {at -> value}, and how many: what happens to an array happens to many neighbours at
-- once, and up to 32 of them go as one number.
local function bit_args(values)
  local list, args, n, i = {}, {}, 0, 1
  for at in pairs(values) do list[#list + 1] = at end
  table.sort(list)
  while i <= #list do
    local first, value, wide = list[i], values[list[i]], 1
    while wide < 32 and list[i + wide] == first + wide and values[first + wide] == value do wide = wide + 1 end
    args[n + 1], args[n + 2], args[n + 3], args[n + 4] = 'SET', 'u' .. wide, first, value == 1 and all_set[wide] or '0'
    n, i = n + 4, i + wide
  end
  return args, n
end

-- Writes the bits; so before any are written at once that might be among them.
local function flush_bits()
  for key, values in pairs(bits) do
    local args, n = bit_args(values)
    for i = 1, n, 4000 do call('BITFIELD', key, unpack(args, i, math.min(n, i + 3999))) end
  end
  bits = {}
end

local function flush()
  for _, w in ipairs(write_order) do
    for i = 1, w.n, 4000 do call(w.command, w.key, unpack(w, i, math.min(w.n, i + 3999))) end
  end
  flush_bits()
end
