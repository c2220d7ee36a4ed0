#!lua flags=allow-oom
--! sandbox
-- Return all journal entries, and the number of evicted ones.
open()
touch()
local numbers = redis.call('ZRANGE', key('order'), 0, -1)
for i, number in ipairs(numbers) do numbers[i] = tonumber(number) end
table.sort(numbers)
local entries = {}
for i, number in ipairs(numbers) do entries[i] = redis.call('HGET', key('entries'), number) end
return {entries, tonumber(redis.call('HGET', META, 'evicted_entries') or 0)}
