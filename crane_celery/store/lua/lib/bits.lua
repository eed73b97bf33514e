-- One bit per job id and kind, in chunks of 2^20 ids: open (began, and not ended yet), ended, ok (Completed), lost. What
-- ended has begun too, so only one bit is ever kept of an element that is cancelled while pending.
local CHUNK = 1048576

-- Calls with(key, at, n) for every chunk that the ids first .. first + count - 1 touch.
local function each_chunk(kind, first, count, with)
  while count > 0 do
    local at = first % CHUNK
    local n = math.min(count, CHUNK - at)
    with(key_bits(kind .. ':' .. string.format('%d', (first - at) / CHUNK)), at, n)
    first, count = first + n, count - n
  end
end

-- Bits at the ragged ends one by one, whole bytes between them in one write.
local function set_chunk(key, at, n)
  local stop = at + n
  while at < stop and at % 8 ~= 0 do
    call('SETBIT', key, at, 1)
    at = at + 1
  end
  local bytes = math.floor((stop - at) / 8)
  if bytes > 0 then
    call('SETRANGE', key, at / 8, string.rep('\255', bytes))
    at = at + 8 * bytes
  end
  while at < stop do
    call('SETBIT', key, at, 1)
    at = at + 1
  end
end

local function set_bits(kind, first, count)
  each_chunk(kind, first, count, set_chunk)
end

local function count_bits(kind, first, count)
  local found = 0
  each_chunk(kind, first, count, function(key, at, n)
    found = found + call('BITCOUNT', key, at, at + n - 1, 'BIT')
  end)
  return found
end

local function put_bit(kind, id, value)
  local at = id % CHUNK
  call('SETBIT', key_bits(kind .. ':' .. string.format('%d', (id - at) / CHUNK)), at, value)
end

-- How many of these ids have begun, whether they ended since or not.
local function count_begun(first, count) return count_bits('open', first, count) + count_bits('ended', first, count) end
