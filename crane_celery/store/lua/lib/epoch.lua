-- Refuses a node that was written off since it registered. Returns an error reply, or nil.
local function outlived(node, epoch)
  local newest = call('HGET', key_node(node), 'epoch')
  if newest == epoch then return nil end
  return redis.error_reply('STALE epoch ' .. epoch .. ' of the node: the newest is ' .. (newest or 'none, it never registered'))
end
