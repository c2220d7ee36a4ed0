#!lua flags=allow-oom
--! sandbox
-- Return the coverage of the sandbox, or that of all sandboxes.
if ARGV[2] == '1' then return redis.call('HGETALL', PREFIX .. 'coverage') end
open()
touch()
return redis.call('HGETALL', key('coverage'))
