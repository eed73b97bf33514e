-- Pieces of bodies that several submissions have in common (store.bodies): key_shared(digest) is a hash with `n`, the
-- bodies that have it, `b`, its bytes, and `u`, the user whose budget it counts for: who brought it first.

-- One body more has this piece.
local function share(digest, bytes, uid)
  if call('HINCRBY', key_shared(digest), 'n', 1) > 1 then return end
  call('HSET', key_shared(digest), 'b', bytes, 'u', uid)
  call('HINCRBY', key_submitted, 'bytes:' .. uid, #bytes)
end

-- A body that has this piece is gone; the last one takes it along.
local function unshare(digest)
  if call('HINCRBY', key_shared(digest), 'n', -1) > 0 then return end
  local uid = call('HGET', key_shared(digest), 'u')
  if uid then call('HINCRBY', key_submitted, 'bytes:' .. uid, -call('HSTRLEN', key_shared(digest), 'b')) end
  call('UNLINK', key_shared(digest))
end

-- Drops the specification and body of a submission, and takes them off its user's budget.
local function drop_body(id, uid)
  local bytes = call('STRLEN', key_spec(id)) + call('STRLEN', key_body(id))
  if uid then call('HINCRBY', key_submitted, 'bytes:' .. uid, -bytes) end
  if call('GETRANGE', key_body(id), 0, 0) == '\1' then
    local header = string.match(call('GETRANGE', key_body(id), 1, 1023), '^[^\n]*')
    for digest in string.gmatch(header, 's(%x+)') do unshare(digest) end
  end
  call('UNLINK', key_spec(id), key_body(id))
end
