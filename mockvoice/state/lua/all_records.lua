#!lua flags=allow-oom
--! sandbox records
-- Return all records, oldest first, and the number of evicted ones.
open()
touch()
local evicted = tonumber(redis.call('HGET', META, 'evicted_records') or 0)
return {replies(redis.call('ZRANGE', key('numbers'), 0, -1)), evicted}
