-- Accepts submissions: takes ids, writes the records, queues those with a dependency, appends the event.
-- lib: bits events blocks waits
-- KEYS   1 the prefix of all keys
-- ARGV   1 seconds that an idempotency key is kept; 2 the id to go on from where none was ever given out, "" = not known;
--        then 15 for each submission:
--        spec (JSON), count, array (1 or 0), pending (range text), held (the same or ""), dep (JSON or ""), priority,
--        idempotency (hash or ""), body (bytes), throttle (0 = none), uid, partition, and at most so many living elements
--        of this user altogether, and in this partition (0 = no limit); policy (requeues never|node|failure, at most so many, and so
--        many failed elements end an array; 0 = none do)
-- Returns the first id of each; -1, and nothing is taken, when the id to go on from is needed. Error NOTFOUND when a
-- dependee was never given out, LIMIT when a user would have too many: nothing is taken then.
local PER = 15

local given = call('GET', key_next)
if not given and ARGV[2] == '' then return -1 end
local last = tonumber(given or ARGV[2])
for at = 3, #ARGV, PER do
  local dep = ARGV[at + 5]
  local missing = dep ~= '' and unknown(dep, last)
  if missing then return redis.error_reply(string.format('NOTFOUND job %.0f', missing)) end
end

-- Where a user would have more living elements than allowed: an error reply, else nil.
local living = {}
local function beyond(field, n, most, where)
  most = tonumber(most)
  living[field] = (living[field] or tonumber(call('HGET', key_users, field) or '0')) + n
  if most == 0 or living[field] <= most then return nil end
  return redis.error_reply(string.format('LIMIT %s %d %d %d', where, most, living[field] - n, n))
end
for at = 3, #ARGV, PER do
  local count, idem, uid, part, all_most, part_most = ARGV[at + 1], ARGV[at + 7], unpack(ARGV, at + 10, at + 13)
  if (all_most ~= '0' or part_most ~= '0') and (idem == '' or call('EXISTS', key_idem(idem)) == 0) then
    local no = beyond(uid, tonumber(count), all_most, 'cluster') or beyond(uid .. ':' .. part, tonumber(count), part_most,
      'partition')
    if no then return no end
  end
end

local more = {} -- uid, uid:partition -> living elements more
if not given then call('SET', key_next, ARGV[2]) end
local ids = {}
for at = 3, #ARGV, PER do
  local spec, count, array, pending, held, dep, priority, idem, body, throttle, uid, part =
    unpack(ARGV, at, at + 11)
    local policy = ARGV[at + 14]
  local known = idem ~= '' and call('GET', key_idem(idem))
  if known then
    ids[#ids + 1] = tonumber(known)
  else
    local id = call('INCRBY', key_next, count) - tonumber(count) + 1
    local text = string.format('%.0f', id)
    local ready = dep == '' and '0.0' or '-1.0'
    call('SET', key_spec(text), spec)
    call('SET', key_body(text), body)
    call('HSET', key_job(text), 'count', count, 'at', NOW, 'pending', pending, 'held', held, 'ready', ready, 'dep', dep,
      'priority', priority, 'began', 0, 'ended', 0, 'ok', 0, 'code', 0, 'state', '', 'gone', 0, 'waits', '',
      'array', array, 'top', -1, 'throttle', throttle, 'uid', uid, 'part', part, 'policy', policy)
    for _, field in ipairs({ uid, uid .. ':' .. part }) do more[field] = (more[field] or 0) + count end
    call('ZADD', key_alive, id, text)
    if array == '1' then call('ZADD', key_arrays, id, text) end
    if dep ~= '' then
      wait_for(id, dep)
      call('ZADD', key_resolve, id, text)
    end
    if idem ~= '' then call('SET', key_idem(idem), text, 'EX', ARGV[1]) end
    ids[#ids + 1] = id
    tell('submit', string.format('{"job":{"id":%s,"spec":%s,"count":%s,"submitted_at":%s,"pending":"%s","held":"%s",'
      .. '"ready":%s,"dep":%s,"priority":%s}}', text, spec, count, NOW, pending, held, ready, cjson.encode(dep), priority))
  end
end
for field, n in pairs(more) do call('HINCRBY', key_users, field, n) end
publish()
return ids
