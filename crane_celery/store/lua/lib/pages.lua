-- Large sets of ranks as pages of 1,024 ranks: tables { pages = { hex text, ... } }, the first rank the highest bit of the
-- first digit. The same text as grammar/pages.py: "*numbers*pages" with every different page once, 3x970 = page 3 at 970
-- places. Pages that are equal are one Lua string, so whatever was found out about one is kept in a table by page.
local PAGE, HEX = 1024, 256
local ZERO, FULL = string.rep('0', HEX), string.rep('f', HEX)

local function read_pages(text)
  local from = string.find(text, '*', 2, true)
  local pages, n = {}, 0
  for number, times in string.gmatch(string.sub(text, 2, from - 1), '(%d+)x?(%d*)') do
    local at = from + tonumber(number) * HEX
    local page = string.sub(text, at + 1, at + HEX)
    for _ = 1, tonumber(times) or 1 do
      n = n + 1
      pages[n] = page
    end
  end
  return { pages = pages }
end

-- Without empty pages at the end; an empty set is {}, as one of ranges is.
local function trimmed(pages)
  local n = #pages
  while n > 0 and pages[n] == ZERO do
    pages[n] = nil
    n = n - 1
  end
  return n > 0 and { pages = pages } or {}
end

local function pages_text(set)
  local numbers, found, out, pages = {}, {}, {}, trimmed(set.pages).pages
  if not pages then return '' end
  local last, times = nil, 0
  local function put()
    if last then out[#out + 1] = times > 1 and last .. 'x' .. times or last end
  end
  for _, page in ipairs(pages) do
    local number = numbers[page]
    if not number then
      number = #found
      numbers[page], found[number + 1] = number, page
    end
    if number == last then times = times + 1 else
      put()
      last, times = number, 1
    end
  end
  put()
  return '*' .. table.concat(out, ',') .. '*' .. table.concat(found)
end

local BITS = { [0] = 8, 4, 2, 1 } -- of a digit, by rank

local function digit(page, at) return tonumber(string.sub(page, at + 1, at + 1), 16) end

-- Whether the bit at this place of a page is set.
local function has(page, at) return bit.band(digit(page, math.floor(at / 4)), BITS[at % 4]) ~= 0 end

-- The page without the bit at this place, which is set.
local function without(page, at)
  local i = math.floor(at / 4)
  return string.sub(page, 1, i) .. string.format('%x', digit(page, i) - BITS[at % 4]) .. string.sub(page, i + 2)
end

-- The page with the bits of these places set as well.
local function with(page, low, high)
  local i, j = math.floor(low / 4), math.floor(high / 4)
  local from, to = bit.rshift(15, low % 4), bit.band(bit.lshift(15, 3 - high % 4), 15)
  if i == j then
    return string.sub(page, 1, i) .. string.format('%x', bit.bor(digit(page, i), bit.band(from, to))) .. string.sub(page, i + 2)
  end
  return string.sub(page, 1, i) .. string.format('%x', bit.bor(digit(page, i), from)) .. string.rep('f', j - i - 1)
    .. string.format('%x', bit.bor(digit(page, j), to)) .. string.sub(page, j + 2)
end

-- Ranges {low, high, ...} as pages.
local function to_pages(list)
  local pages, n = {}, 0
  for i = 1, #list, 2 do
    local low, high = list[i], list[i + 1]
    for number = math.floor(low / PAGE), math.floor(high / PAGE) do
      local base = number * PAGE
      while n <= number do
        n = n + 1
        pages[n] = ZERO
      end
      local a, b = math.max(low - base, 0), math.min(high - base, PAGE - 1)
      pages[number + 1] = b - a == PAGE - 1 and FULL or with(pages[number + 1], a, b)
    end
  end
  return pages
end

local OPS = {
  common = bit.band,
  union = bit.bor,
  minus = function(a, b) return bit.band(a, bit.bnot(b)) end,
}
local known = { common = {}, union = {}, minus = {} }

-- What is clear without looking at single bits, or nil.
local function clear(name, a, b)
  if name == 'common' then
    if a == ZERO or b == FULL or a == b then return a end
    if b == ZERO or a == FULL then return b end
  elseif name == 'union' then
    if b == ZERO or a == FULL or a == b then return a end
    if a == ZERO or b == FULL then return b end
  else
    if b == ZERO or a == ZERO then return a end
    if b == FULL or a == b then return ZERO end
  end
  return nil
end

local function page_of(name, a, b)
  local found = clear(name, a, b)
  if found then return found end
  local of_a = known[name][a]
  if not of_a then
    of_a = {}
    known[name][a] = of_a
  end
  if of_a[b] then return of_a[b] end
  local op, out = OPS[name], {}
  for i = 1, HEX, 8 do
    out[#out + 1] = bit.tohex(op(tonumber(string.sub(a, i, i + 7), 16), tonumber(string.sub(b, i, i + 7), 16)))
  end
  of_a[b] = table.concat(out)
  return of_a[b]
end

-- One of OPS on two lists of pages.
local function combined(name, a, b)
  local out = {}
  for i = 1, math.max(#a, #b) do out[i] = page_of(name, a[i] or ZERO, b[i] or ZERO) end
  return trimmed(out)
end

local ONES = {}
for i = 0, 15 do ONES[string.byte(string.format('%x', i))] = i % 2 + math.floor(i / 2) % 2 + math.floor(i / 4) % 2 + math.floor(i / 8) end
local sizes = { [ZERO] = 0, [FULL] = PAGE }

local function page_size(page)
  local n = sizes[page]
  if not n then
    n = 0
    for _, byte in ipairs({ string.byte(page, 1, HEX) }) do n = n + ONES[byte] end
    sizes[page] = n
  end
  return n
end

local listed = {}

-- The places of a page whose bits are set, in order.
local function places(page)
  local out = listed[page]
  if out then return out end
  out = {}
  local i = string.find(page, '[^0]')
  while i do
    for at = 4 * i - 4, 4 * i - 1 do
      if has(page, at) then out[#out + 1] = at end
    end
    i = string.find(page, '[^0]', i + 1)
  end
  listed[page] = out
  return out
end
