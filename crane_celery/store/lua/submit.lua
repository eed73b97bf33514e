-- Accepts submissions: takes ids, writes the records, queues those with a dependency, appends the event.
-- lib: bits events blocks waits shared
-- KEYS   1 the prefix of all keys
-- ARGV   1 seconds that an idempotency key is kept; 2 the id to go on from where none was ever given out, "" = not known;
--        3 how many shared pieces follow: digest and bytes of each; then 17 for each submission:
--        spec (JSON), count, array (1 or 0), pending (range text), held (the same or ""), dep (JSON or ""), priority,
--        idempotency (hash or ""), body (its record), throttle (0 = none), uid, partition, and at most so many
--        submissions of this user that have not ended altogether, and in this partition, and at most so many bytes of
--        this user (0 = no limit); policy (requeues never|node|failure, at most so many, and so many failed elements end
--        an array; 0 = none do); pieces (numbers of the shared pieces that its body has, joined by commas)
-- Returns the first id of each; -1, and nothing is taken, when the id to go on from is needed. Error NOTFOUND when a
-- dependee was never given out, LIMIT or BYTES when a user would have too much: nothing is taken then.
local PER = 17
local FIRST = 4 + 2 * ARGV[3]

local given = call('GET', key_next)
if not given and ARGV[2] == '' then return -1 end
local last = tonumber(given or ARGV[2])
for at = FIRST, #ARGV, PER do
  local dep = ARGV[at + 5]
  local missing = dep ~= '' and unknown(dep, last)
  if missing then return redis.error_reply(string.format('NOTFOUND job %.0f', missing)) end
end

-- Whether this submission was accepted before.
local function is_known(at)
  return ARGV[at + 7] ~= '' and call('EXISTS', key_idem(ARGV[at + 7])) == 1
end

-- Where a user would have more submissions that have not ended than allowed: an error reply, else nil.
local held = {}
local function read_held(uid, part)
  local fields = { uid, uid .. ':' .. part, 'bytes:' .. uid }
  if held[fields[2]] then return end
  for i, found in ipairs(call('HMGET', key_submitted, unpack(fields))) do
    held[fields[i]] = held[fields[i]] or tonumber(found or '0')
  end
end

local function beyond(field, most, where)
  most = tonumber(most)
  held[field] = held[field] + 1
  if most == 0 or held[field] <= most then return nil end
  return redis.error_reply(string.format('LIMIT %s %d %d', where, most, held[field] - 1))
end

-- Where the bodies of a user would have more bytes than allowed: an error reply, else nil. A shared piece that is here
-- already costs nothing.
local brought = {}
local function too_large(at)
  local field, most = 'bytes:' .. ARGV[at + 10], tonumber(ARGV[at + 14])
  local more = #ARGV[at] + #ARGV[at + 8]
  for number in string.gmatch(ARGV[at + 16], '%d+') do
    local digest, bytes = unpack(ARGV, 2 * number + 2, 2 * number + 3)
    if not brought[digest] and call('EXISTS', key_shared(digest)) == 0 then more = more + #bytes end
    brought[digest] = true
  end
  local before = held[field]
  held[field] = before + more
  if most == 0 or held[field] <= most then return nil end
  return redis.error_reply(string.format('BYTES %d %d %d', most, before, more))
end

for at = FIRST, #ARGV, PER do
  if not is_known(at) then
    local uid, part, most, part_most = unpack(ARGV, at + 10, at + 13)
    read_held(uid, part)
    local no = beyond(uid, most, 'cluster') or beyond(uid .. ':' .. part, part_most, 'partition') or too_large(at)
    if no then return no end
  end
end

local more = {} -- uid, uid:partition -> submissions more; bytes:uid -> bytes more
if not given then call('SET', key_next, ARGV[2]) end
local ids = {}
for at = FIRST, #ARGV, PER do
  local spec, count, array, pending, held, dep, priority, idem, body, throttle, uid, part =
    unpack(ARGV, at, at + 11)
    local policy, pieces = ARGV[at + 15], ARGV[at + 16]
  local known = idem ~= '' and call('GET', key_idem(idem))
  if known then
    ids[#ids + 1] = tonumber(known)
  else
    local id = call('INCRBY', key_next, count) - tonumber(count) + 1
    local text = string.format('%.0f', id)
    local ready = dep == '' and '0.0' or '-1.0'
    call('SET', key_spec(text), spec)
    call('SET', key_body(text), body)
    for number in string.gmatch(pieces, '%d+') do share(ARGV[2 * number + 2], ARGV[2 * number + 3], uid) end
    more['bytes:' .. uid] = (more['bytes:' .. uid] or 0) + #spec + #body
    call('HSET', key_job(text), 'count', count, 'at', NOW, 'pending', pending, 'held', held, 'ready', ready, 'dep', dep,
      'priority', priority, 'began', 0, 'ended', 0, 'ok', 0, 'code', 0, 'state', '', 'gone', 0, 'waits', '',
      'array', array, 'top', -1, 'throttle', throttle, 'uid', uid, 'part', part, 'policy', policy)
    for _, field in ipairs({ uid, uid .. ':' .. part }) do more[field] = (more[field] or 0) + 1 end
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
for field, n in pairs(more) do call('HINCRBY', key_submitted, field, n) end
publish()
return ids
