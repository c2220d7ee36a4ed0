#!lua flags=allow-oom
--! sandbox
-- Remove a fault rule; returns 0 if there is none.
open()
local number = ARGV[2]
local removed = redis.call('HDEL', key('rules'), number)
redis.call('HDEL', key('rules'), number .. ' matched', number .. ' hits')
rules_changed()
touch()
return removed
