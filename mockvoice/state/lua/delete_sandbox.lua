#!lua
--! sandbox
-- Delete a sandbox with everything in it; return 1 if there was one.

if not exists() then return 0 end
redis.call('ZREM', SANDBOXES, sandbox)
redis.call('UNLINK', unpack(keys_of(sandbox)))
add_event(sandbox)
return 1
