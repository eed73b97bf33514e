-- The order of the stream's ids, which are two numbers joined by a dash ("0" stands before all).
local function is_later(a, b)
  local a1, a2 = string.match(a, '^(%d+)%-?(%d*)$')
  local b1, b2 = string.match(b, '^(%d+)%-?(%d*)$')
  if a1 ~= b1 then return tonumber(a1) > tonumber(b1) end
  return tonumber(a2 ~= '' and a2 or 0) > tonumber(b2 ~= '' and b2 or 0)
end
