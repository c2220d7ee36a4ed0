#!lua flags=allow-oom
--! sandbox
-- Remove all fault rules.
open()
redis.call('UNLINK', key('rules'), key('header_rules'), key('header_order'))
rules_changed()
touch()
