#!lua flags=allow-oom
--! sandbox
-- Remove all fault rules.
open()
redis.call('UNLINK', key('rules'))
rules_changed()
touch()
