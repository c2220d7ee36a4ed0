#!lua
--! sandbox accounts
-- Return the ids and states of all accounts, oldest first.
open()
local accounts = {}
for _, id in ipairs(redis.call('ZRANGE', key('keys'), 0, -1)) do
  accounts[#accounts + 1] = {id, read_account(id)}
end
touch()
return accounts
