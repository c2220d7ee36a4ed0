#!lua flags=allow-oom
--! sandbox
-- Return the entries with an internal error.
open()
touch()
local order = redis.call('HGET', key('errors'), 'order')
local entries = {}
for i, number in ipairs(order and cmsgpack.unpack(order) or {}) do
  entries[i] = redis.call('HGET', key('errors'), number)
end
return entries
