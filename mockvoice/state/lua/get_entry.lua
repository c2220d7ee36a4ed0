#!lua flags=allow-oom
--! sandbox
-- Return one journal entry.
open()
touch()
return redis.call('HGET', key('entries'), ARGV[2])
