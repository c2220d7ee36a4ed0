#!lua
--! sandbox
-- Return the next number for a kind of object.
open()
local count = redis.call('HINCRBY', key('ids'), ARGV[2], 1)
touch()
return count
