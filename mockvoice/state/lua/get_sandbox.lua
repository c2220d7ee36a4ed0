#!lua
--! sandbox
-- Return the seed of a sandbox, and the time at which its configured records were made.
open()
touch()
return redis.call('HMGET', META, 'seed', 'started_at')
