#!lua
--! sandbox
-- Return the settings of a sandbox: seed, editions, then the texts.
open()
touch()
return redis.call('HMGET', META, 'seed', 'editions', 'audio', 'limits', 'valid_keys', 'retry_after')
