#!lua flags=allow-oom
--! sandbox
-- Return the time of a sandbox, and 1 if it is frozen. This does not create the sandbox.
if not exists() then
  local start = CLOCK_START ~= '' and CLOCK_START or exact(real_time())
  return {CLOCK_FREEZE ~= '' and CLOCK_FREEZE or start, CLOCK_FREEZE ~= '' and 1 or 0}
end
return {exact(now()), redis.call('HEXISTS', META, 'frozen')}
