#!lua flags=allow-oom
--! sandbox
-- Return the number of requests by what they are counted as.
open()
touch()
return redis.call('HGETALL', key('counts'))
