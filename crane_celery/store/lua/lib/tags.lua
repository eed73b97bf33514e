-- Ranks with a number each (their last run, a time): text [["0-4",1],["7",3]], lists {{ranges, number}, ...} by number.
-- The same form as model/tagged.py. Needs ranges.

local function to_tags(text)
  local out = {}
  if text and text ~= '' then
    for i, row in ipairs(cjson.decode(text)) do out[i] = { to_ranges(row[1]), row[2] } end
  end
  return out
end

local function tags_text(list)
  local out = {}
  for _, row in ipairs(list) do
    if not is_empty(row[1]) then out[#out + 1] = '["' .. to_text(row[1]) .. '",' .. string.format('%.14g', row[2]) .. ']' end
  end
  return #out > 0 and '[' .. table.concat(out, ',') .. ']' or ''
end

-- Takes ranks off every number, in place.
local function untag(list, ranges)
  for _, row in ipairs(list) do row[1] = minus(row[1], ranges) end
end

-- Gives ranks a number, in place.
local function tag(list, ranges, number)
  untag(list, ranges)
  for i, row in ipairs(list) do
    if row[2] == number then
      row[1] = union(row[1], ranges)
      return
    elseif row[2] > number then
      table.insert(list, i, { ranges, number })
      return
    end
  end
  list[#list + 1] = { ranges, number }
end

-- The number of one rank, or nil.
local function tag_of(list, rank)
  for _, row in ipairs(list) do
    if place(row[1], rank) then return row[2] end
  end
end
