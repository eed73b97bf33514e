-- The blocks {kind, job, first, count, delay, text, fired_at, ...} of a dependency, and the ids that nobody ever got.

local function blocks(dep)
  local found = {}
  for _, group in ipairs(cjson.decode(dep)[2]) do
    for _, block in ipairs(group) do found[#found + 1] = block end
  end
  return found
end

-- Whether another verdict may follow: of alternatives, one that comes later may outrun the delay of the first.
local function undecided(dep, ready, judged, corr)
  if dep == '' then return false end
  if tonumber(ready) == -1 or (corr or '') ~= '' then return true end
  if tonumber(ready) <= (tonumber(judged) or 0) or not cjson.decode(dep)[1] then return false end
  for _, b in ipairs(blocks(dep)) do
    if b[7] == 0 then return true end
  end
  return false
end

-- An id of the dependency that was never given out, or nil.
local function unknown(dep, last)
  for _, b in ipairs(blocks(dep)) do
    local top = b[3] + b[4] - 1
    if b[1] ~= 'singleton' then -- which names no id
      if b[2] < 1 or b[2] > last then return b[2] end
      if b[3] < 1 then return b[3] end
      if top > last then return top end
    end
  end
  return nil
end

-- Notes with those that it waits for that the verdict on a submission is final, until one of them is requeued: its score in
-- their lists is then below 0.
local function wait_no_more(id, dep)
  for _, b in ipairs(blocks(dep)) do call('ZADD', key_waits(string.format('%.0f', b[2])), 'XX', '-' .. id, id) end
end

-- Takes a submission off the lists of those that it waits for.
local function stop_waiting(id, dep)
  if dep == '' then return end
  for _, b in ipairs(blocks(dep)) do call('ZREM', key_waits(string.format('%.0f', b[2])), id) end
end
