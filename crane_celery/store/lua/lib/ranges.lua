-- Sets of ranks as text ("0-4,7"; "" = empty) and as flat lists {low, high, low, high, ...}: sorted, with gaps between.
-- Everything costs the number of ranges, never the number of ranks. A set that has come to more than FEW ranges is kept
-- as pages, until few pages of it are neither full nor empty. Needs pages.
local FEW, FEW_RAGGED = 1024, 8

local function to_ranges(text)
  if string.byte(text) == 42 then return read_pages(text) end -- *
  local list, n = {}, 0
  for low, high in string.gmatch(text, '(%d+)%-?(%d*)') do
    list[n + 1] = tonumber(low)
    list[n + 2] = high == '' and list[n + 1] or tonumber(high)
    n = n + 2
  end
  return list
end

-- Pages of which few are neither full nor empty, as ranges; others as they are.
local function smallest(set)
  local ragged, list, n = 0, {}, 0
  for _, page in ipairs(set.pages) do
    if page ~= ZERO and page ~= FULL then ragged = ragged + 1 end
  end
  if ragged > FEW_RAGGED then return set end
  local function add(low, high)
    if n > 0 and list[n] + 1 == low then list[n] = high
    else list[n + 1], list[n + 2], n = low, high, n + 2 end
  end
  for i, page in ipairs(set.pages) do
    local base = (i - 1) * PAGE
    if page == FULL then add(base, base + PAGE - 1)
    elseif page ~= ZERO then
      for _, at in ipairs(places(page)) do add(base + at, base + at) end
    end
  end
  return list
end

local function to_text(list)
  if list.pages then list = smallest(list) end
  if list.pages then return pages_text(list) end
  if #list > 2 * FEW then return pages_text({ pages = to_pages(list) }) end
  local out = {}
  for i = 1, #list, 2 do
    out[#out + 1] = list[i] == list[i + 1] and string.format('%d', list[i])
      or string.format('%d-%d', list[i], list[i + 1])
  end
  return table.concat(out, ',')
end

local function is_empty(set) return not set.pages and #set == 0 end

-- Where the range that holds n starts in the list (true, where it is kept as pages), or nil. Bisection.
local function place(list, n)
  if list.pages then
    local page = list.pages[math.floor(n / PAGE) + 1]
    return page and has(page, n % PAGE) or nil
  end
  local low, high = 1, #list / 2
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if n < list[2 * middle - 1] then high = middle - 1
    elseif n > list[2 * middle] then low = middle + 1
    else return 2 * middle - 1 end
  end
  return nil
end

-- Takes n out, in place.
local function drop(list, n)
  local i = place(list, n)
  if not i then return end
  if list.pages then
    local number = math.floor(n / PAGE) + 1
    list.pages[number] = without(list.pages[number], n % PAGE)
    return
  end
  if list[i] == list[i + 1] then
    table.remove(list, i)
    table.remove(list, i)
  elseif n == list[i] then list[i] = n + 1
  elseif n == list[i + 1] then list[i + 1] = n - 1
  else
    table.insert(list, i + 1, n - 1)
    table.insert(list, i + 2, n + 1)
  end
end

local function common(a, b)
  if a.pages or b.pages then return combined('common', a.pages or to_pages(a), b.pages or to_pages(b)) end
  local out, i, j = {}, 1, 1
  while i < #a and j < #b do
    local low, high = math.max(a[i], b[j]), math.min(a[i + 1], b[j + 1])
    if low <= high then out[#out + 1], out[#out + 2] = low, high end
    if a[i + 1] < b[j + 1] then i = i + 2 else j = j + 2 end
  end
  return out
end

local function minus(a, b)
  if a.pages or b.pages then return combined('minus', a.pages or to_pages(a), b.pages or to_pages(b)) end
  local out, j = {}, 1
  for i = 1, #a, 2 do
    local low, high = a[i], a[i + 1]
    while j < #b and b[j + 1] < low do j = j + 2 end
    local at = j
    while at < #b and b[at] <= high do
      if low < b[at] then out[#out + 1], out[#out + 2] = low, b[at] - 1 end
      low = b[at + 1] + 1
      at = at + 2
    end
    if low <= high then out[#out + 1], out[#out + 2] = low, high end
  end
  return out
end

local function union(a, b)
  if a.pages or b.pages then return combined('union', a.pages or to_pages(a), b.pages or to_pages(b)) end
  local out, i, j = {}, 1, 1
  while i < #a or j < #b do
    local low, high
    if j > #b or (i < #a and a[i] <= b[j]) then
      low, high, i = a[i], a[i + 1], i + 2
    else
      low, high, j = b[j], b[j + 1], j + 2
    end
    local n = #out
    if n > 0 and low <= out[n] + 1 then out[n] = math.max(out[n], high)
    else out[n + 1], out[n + 2] = low, high end
  end
  return out
end

local function size(list)
  local n = 0
  for _, page in ipairs(list.pages or {}) do n = n + page_size(page) end
  for i = 1, #list, 2 do n = n + list[i + 1] - list[i] + 1 end
  return n
end

-- Numbers, in any order, as ranges.
local function ranges_of(numbers)
  table.sort(numbers)
  local out, n = {}, 0
  for _, each in ipairs(numbers) do
    if n > 0 and each <= out[n] + 1 then out[n] = each
    else out[n + 1], out[n + 2], n = each, each, n + 2 end
  end
  return out
end

-- At most `limit` ranks of a set, from `from` on, in order.
local function ranks_from(set, from, limit)
  local out, n = {}, 0
  for number = math.floor(from / PAGE) + 1, #(set.pages or {}) do
    local base = (number - 1) * PAGE
    for _, at in ipairs(places(set.pages[number])) do
      if base + at >= from then
        n = n + 1
        out[n] = base + at
        if n == limit then return out end
      end
    end
  end
  for i = 1, #set, 2 do
    for rank = math.max(from, set[i]), set[i + 1] do
      n = n + 1
      out[n] = rank
      if n == limit then return out end
    end
  end
  return out
end
