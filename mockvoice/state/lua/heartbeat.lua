#!lua flags=allow-oom
--! sandbox accounts
-- Report that a process is alive, and end the requests of processes that are not.
-- A process that lost the connection passes the requests in progress: all others have ended.

local process, lost = ARGV[2], ARGV[3] == '1'
local processes = PREFIX .. 'processes'
local time = real_time()

redis.call('ZADD', processes, exact(time), process)
if SANDBOX_TTL > 0 then redis.call('EXPIRE', running_key(process), SANDBOX_TTL + PROCESS_SECONDS) end
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', processes, '-inf', exact(time - PROCESS_SECONDS))) do
  for _, token in ipairs(redis.call('HKEYS', running_key(dead))) do end_request(dead, token) end
  redis.call('ZREM', processes, dead)
end
if lost then
  local alive = {}
  for i = 4, #ARGV do alive[ARGV[i]] = true end
  for _, token in ipairs(redis.call('HKEYS', running_key(process))) do
    if not alive[token] then end_request(process, token) end
  end
end
