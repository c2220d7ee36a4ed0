#!lua
--! sandbox
-- Return the settings of a sandbox: seed, editions, then those that `reset` takes in this order.
open()
touch()
return redis.call(
  'HMGET', META, 'seed', 'editions',
  'audio', 'limits', 'valid_keys', 'retry_after', 'strict_fields'
)
