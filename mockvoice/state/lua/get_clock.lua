#!lua flags=allow-oom
--! sandbox
-- Return the time of a sandbox, and 1 if it is frozen. This does not create the sandbox.
return {exact(now()), redis.call('HEXISTS', META, 'frozen')}
