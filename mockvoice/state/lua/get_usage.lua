#!lua flags=allow-oom
--! sandbox
-- Return the recorded uses of an account, oldest first.
local begin = '[' .. ARGV[2] .. '\0'
local uses = redis.call('ZRANGEBYLEX', key('usage'), begin, begin .. '\255')
for i, use in ipairs(uses) do uses[i] = string.sub(use, #begin + 16) end
return uses
