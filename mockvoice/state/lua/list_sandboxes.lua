#!lua flags=allow-oom
--! sandbox
-- Return the names of all sandboxes besides the default one, oldest first.
open()
local names = {}
for _, name in ipairs(redis.call('ZRANGE', SANDBOXES, 0, -1)) do
  if redis.call('EXISTS', PREFIX .. 's:' .. name .. ':meta') == 1 then names[#names + 1] = name end
end
return names
