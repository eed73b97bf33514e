-- Nodes. Needs events. Texts of a node's own are stored as JSON, so they go into an event as they are.

-- Tells the node as it now is.
local function tell_node(name)
  local v = call('HMGET', key_node(name), 'spec', 'state', 'epoch', 'heard', 'reason', 'host', 'driver', 'version', 'boot')
  tell('node', string.format('{"node":{"spec":%s,"state":"%s","epoch":%s,"heard_at":%s,"reason":%s,"host":%s,'
    .. '"driver":%s,"version":%s,"boot":%s}}', unpack(v)))
end

-- The node lives: up, or draining as it was told.
local function revive(name)
  local drain = call('HGET', key_node(name), 'drain')
  call('HSET', key_node(name), 'state', drain and 'drain' or 'up', 'reason', drain or '""')
end
