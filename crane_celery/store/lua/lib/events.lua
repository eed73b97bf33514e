-- The events of one script call: gathered by tell(), written by publish() as one entry of the stream.
-- k: kinds, joined by commas; t: server time; v: JSON list of their data.
local kinds, datas = {}, {}

-- data is JSON text. Texts that people wrote reach a script only as JSON, so nothing is quoted here.
local function tell(kind, data)
  kinds[#kinds + 1], datas[#datas + 1] = kind, data
end

-- A list of JSON rows as one event; nothing when there are none.
local function tell_rows(kind, head, rows)
  if #rows > 0 then tell(kind, '{' .. head .. '"rows":[' .. table.concat(rows, ',') .. ']}') end
end

-- Returns the id of the entry, or false when nothing happened.
local function publish()
  if #kinds == 0 then return false end
  return call('XADD', key_events, '*', 'k', table.concat(kinds, ','), 't', NOW,
    'v', '[' .. table.concat(datas, ',') .. ']')
end
