-- Looks through dependencies for ids that were never given out, before a batch of several portions is taken.
-- lib: blocks
-- KEYS   1 the prefix of all keys
-- ARGV   dependencies (JSON)
-- Returns 1. Error NOTFOUND with the id.
local last = tonumber(call('GET', key_next) or '0')
for _, dep in ipairs(ARGV) do
  local missing = unknown(dep, last)
  if missing then return redis.error_reply(string.format('NOTFOUND job %.0f', missing)) end
end
return 1
