#!lua flags=allow-oom
--! sandbox
-- Return the editions that a sandbox selects, without creating it.
return redis.call('HGET', META, 'editions') or EDITIONS
