#!lua
--! sandbox accounts
-- Return the state of an account, and the number of its requests in progress.
open()
local state = open_account(ARGV[2], ARGV[3], {unpack(ARGV, 4, 9)})
touch()
return {state, tonumber(redis.call('HGET', key('accounts'), 'running ' .. ARGV[2]) or 0)}
