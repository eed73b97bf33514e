-- The prefix of all keys, and the one clock: server time, as text in microseconds and as a number.
local call = redis.call
local P = KEYS[1]
local TIME = call('TIME')
local NOW = string.format('%d.%06d', tonumber(TIME[1]), tonumber(TIME[2]))
