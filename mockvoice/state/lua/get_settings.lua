#!lua
--! sandbox
-- Return the settings of a sandbox: seed, audio, limits, valid keys and editions.
open()
touch()
return redis.call('HMGET', META, 'seed', 'audio', 'limits', 'valid_keys', 'editions')
