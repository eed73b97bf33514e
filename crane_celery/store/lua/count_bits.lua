-- How many of a block of ids ever ended, and how many of them Completed.
-- lib: bits
-- KEYS   1 the prefix of all keys
-- ARGV   1 first id; 2 how many
-- Returns {ended, ok}.
local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
return { count_bits('ended', first, count), count_bits('ok', first, count) }
