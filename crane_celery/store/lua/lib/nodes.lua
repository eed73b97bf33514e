-- Nodes. Needs events. Texts of a node's own are stored as JSON, so they go into an event as they are.

-- Tells the node as it now is.
local function tell_node(name)
  local v = call('HMGET', key_node(name), 'spec', 'state', 'epoch', 'heard', 'reason', 'host', 'driver', 'version', 'boot')
  tell('node', string.format('{"node":{"spec":%s,"state":"%s","epoch":%s,"heard_at":%s,"reason":%s,"host":%s,'
    .. '"driver":%s,"version":%s,"boot":%s}}', unpack(v)))
end

-- The node lives: up, or draining or down as it was told.
local function raise(name)
  local v = call('HMGET', key_node(name), 'drain', 'off')
  local state = v[2] == '1' and 'down' or v[1] and 'drain' or 'up'
  call('HSET', key_node(name), 'state', state, 'reason', v[1] or '""')
end
