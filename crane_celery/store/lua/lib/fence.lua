-- Refuses a leader that is no longer the latest. Returns an error reply, or nil.
local function fenced(fence)
  local newest = call('GET', key_fence)
  if newest == fence then return nil end
  return redis.error_reply('STALE fence ' .. fence .. ': the newest is ' .. (newest or 'none yet'))
end
