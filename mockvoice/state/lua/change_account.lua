#!lua
--! sandbox accounts
-- Change parts of an account, or of all accounts of a provider; returns its state.

local id, provider, is_every = ARGV[2], ARGV[3], ARGV[4] == '1'
local changed = cjson.decode(ARGV[5])  -- JSON by name

open()
open_account(id, provider, {unpack(ARGV, 6, 11)})
change_account(id, changed)
if is_every then
  local every = redis.call('HGET', key('accounts'), 'every ' .. provider)
  every = every and cmsgpack.unpack(every) or {}
  for name, value in pairs(changed) do every[name] = value end
  redis.call('HSET', key('accounts'), 'every ' .. provider, cmsgpack.pack(every))
  for _, other in ipairs(redis.call('ZRANGE', key('keys'), 0, -1)) do
    if string.sub(other, 1, #provider + 1) == provider .. '/' then change_account(other, changed) end
  end
end
touch()
return read_account(id)
