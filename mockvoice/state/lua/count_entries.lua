#!lua flags=allow-oom
--! sandbox
-- Return the number of requests by what they are counted as, and the number of evicted entries.
open()
touch()
return {redis.call('HGETALL', key('counts')), tonumber(redis.call('HGET', META, 'evicted_entries') or 0)}
