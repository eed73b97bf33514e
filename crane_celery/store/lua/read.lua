-- Reads many records at once as one text, which costs the client next to nothing to take apart.
-- lib:
-- KEYS   1 the prefix of all keys
-- ARGV   1 kind of record (job, el, node); 2 number of fields; then the fields; then ids or names
-- Returns rows separated by 0x1e, their values by 0x1f: id, (for a job: its spec,) the fields. Missing records are left out.
local kind, n = ARGV[1], tonumber(ARGV[2])
local keys = { job = key_job, el = key_el, node = key_node }
local fields, out = {}, {}
for i = 3, 2 + n do fields[#fields + 1] = ARGV[i] end
for i = 3 + n, #ARGV do
  local v = call('HMGET', keys[kind](ARGV[i]), unpack(fields))
  if v[1] then
    for j = 1, n do v[j] = v[j] or '' end
    if kind == 'job' then table.insert(v, 1, call('GET', key_spec(ARGV[i])) or '') end
    out[#out + 1] = ARGV[i] .. '\31' .. table.concat(v, '\31')
  end
end
return table.concat(out, '\30')
