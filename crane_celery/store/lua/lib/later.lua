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

local bit_args = {}

-- Sets or clears one bit; all bits of one chunk go as one BITFIELD.
local function bit_later(kind, id, value)
  local at = id % 1048576
  local key = key_bits(kind .. ':' .. string.format('%d', (id - at) / 1048576))
  local args = bit_args[key]
  if not args then
    args = { n = 0 }
    bit_args[key] = args
  end
  local n = args.n
  args[n + 1], args[n + 2], args[n + 3], args[n + 4] = 'SET', 'u1', at, value
  args.n = n + 4
end

local function flush()
  for _, w in ipairs(write_order) do
    for i = 1, w.n, 4000 do call(w.command, w.key, unpack(w, i, math.min(w.n, i + 3999))) end
  end
  for key, args in pairs(bit_args) do
    for i = 1, args.n, 4000 do call('BITFIELD', key, unpack(args, i, math.min(args.n, i + 3999))) end
  end
end
