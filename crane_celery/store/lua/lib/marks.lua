-- Sets or clears the bits of many ids at once. Needs pages, ranges, bits.
local FEW_MARKS = 400 -- ids or ranges that are done one by one

-- The bytes of pages, moved on by `skip` (< 8) bits.
local function bytes_of(pages, skip)
  local out, carry, made = {}, 0, {}
  for i, page in ipairs(pages) do
    made[page] = made[page] or {}
    local known = made[page][carry]
    if not known then
      local bytes, left = {}, carry
      for at = 1, HEX, 8 do
        local four = tonumber(string.sub(page, at, at + 7), 16)
        bytes[#bytes + 1] = struct.pack('>I4', math.floor(four / 2 ^ skip) + left * 2 ^ (32 - skip))
        left = four % 2 ^ skip
      end
      known = { table.concat(bytes), left }
      made[page][carry] = known
    end
    out[i], carry = known[1], known[2]
  end
  out[#out + 1] = string.char(carry * 2 ^ (8 - skip))
  local bytes = table.concat(out)
  local size = #bytes
  while string.byte(bytes, size) == 0 do size = size - 1 end
  return string.sub(bytes, 1, size)
end

-- Sets (or clears) in a chunk the bits that are set in `bytes`, from its byte `at` on. It is written whole, since a string
-- that grows in place takes twice the memory.
local function write_bytes(key, at, bytes, on)
  local old = call('GET', key) or ''
  local one, two = key_scratch .. '1', key_scratch .. '2'
  call('SET', one, string.sub(old, at + 1, at + #bytes))
  call('SET', two, bytes)
  if not on then call('BITOP', 'NOT', two, two) end
  call('BITOP', on and 'OR' or 'AND', one, one, two)
  local head, tail = string.sub(old, 1, at), string.sub(old, at + #bytes + 1)
  call('SET', key, head .. string.rep('\0', at - #head) .. call('GET', one) .. tail)
  call('DEL', one, two)
end

-- Sets (or clears) the bits of ids base + rank, for the ranks of a set.
local function mark(kind, base, set, on)
  if not set.pages and (on and #set <= 2 * FEW_MARKS or size(set) <= FEW_MARKS) then
    for i = 1, #set, 2 do
      if on then set_bits(kind, base + set[i], set[i + 1] - set[i] + 1)
      else
        for rank = set[i], set[i + 1] do put_bit(kind, base + rank, 0) end
      end
    end
    return
  end
  local skip, most = base % 8, CHUNK / 8
  local bytes, first = bytes_of(set.pages or to_pages(set), skip), (base - skip) / 8
  while #bytes > 0 do
    local at = first % most
    local piece = string.sub(bytes, 1, most - at)
    write_bytes(key_bits(kind .. ':' .. string.format('%d', (first - at) / most)), at, piece, on)
    bytes, first = string.sub(bytes, #piece + 1), first + #piece
  end
end
