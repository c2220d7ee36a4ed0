#!lua flags=allow-oom
--! sandbox
-- Delete the coverage of the sandbox, or that of the deployment and all sandboxes.
redis.call('UNLINK', key('coverage'))
if ARGV[2] == '1' then
  redis.call('UNLINK', PREFIX .. 'coverage')
  for _, name in ipairs(redis.call('ZRANGE', SANDBOXES, 0, -1)) do
    redis.call('UNLINK', PREFIX .. 's:' .. name .. ':coverage')
  end
end
