#!lua
--! sandbox
-- Freeze the clock (at a time), or let it run; then advance it.

local at, frozen, advance = ARGV[2], ARGV[3], tonumber(ARGV[4])

open()
if frozen == '1' then
  redis.call('HSET', META, 'frozen', at ~= '' and at or exact(now()))
elseif frozen == '0' then
  local stopped = redis.call('HGET', META, 'frozen')
  if stopped then redis.call('HSET', META, 'offset', exact(tonumber(stopped) - real_time())) end
  redis.call('HDEL', META, 'frozen')
end
local clock = redis.call('HMGET', META, 'frozen', 'offset')
if clock[1] then
  redis.call('HSET', META, 'frozen', exact(tonumber(clock[1]) + advance))
else
  redis.call('HSET', META, 'offset', exact(tonumber(clock[2] or 0) + advance))
end
touch()
return {exact(now()), redis.call('HEXISTS', META, 'frozen')}
