#!lua flags=allow-oom
--! sandbox
-- Return 1 if any account has a record of this provider, collection and id.
return redis.call('HEXISTS', key('held'), ARGV[2])
