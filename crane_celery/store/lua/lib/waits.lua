-- Makes `id` known to what it waits for, as long as that can run again. Needs blocks.
local function wait_for(id, dep)
  for _, b in ipairs(blocks(dep)) do
    local first, count, of = b[3], b[4], string.format('%.0f', b[2])
    local there = call('HMGET', key_job(of), 'count', 'waits')
    if there[1] then
      call('ZADD', key_waits(of), id, id)
      local whole = first == b[2] and count == tonumber(there[1]) and b[1] ~= 'aftercorr' and b[1] ~= 'expand'
      call('HSET', key_job(of), 'waits', whole and there[2] ~= 'p' and 'w' or 'p')
    end
  end
end
