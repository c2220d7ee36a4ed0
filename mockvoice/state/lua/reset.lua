#!lua flags=allow-oom
--! sandbox uploads journal records
-- Restore the initial state of parts of a sandbox.

local parts = {}
for _, part in ipairs(cjson.decode(ARGV[2])) do parts[part] = true end

open()
if ARGV[3] ~= '' then redis.call('HSET', META, 'seed', ARGV[3]) end
if ARGV[4] ~= '' then
  local editions = cjson.decode(redis.call('HGET', META, 'editions'))
  for provider, edition in pairs(cjson.decode(ARGV[4])) do editions[provider] = edition end
  redis.call('HSET', META, 'editions', cjson.encode(editions))
end
for i, name in ipairs({'audio', 'limits', 'valid_keys', 'retry_after', 'strict_fields'}) do
  if ARGV[4 + i] ~= '' then redis.call('HSET', META, name, ARGV[4 + i]) end
end
if parts.requests and parts.voices then  -- then nothing refers to files
  redis.call('UNLINK', key('entries'), key('records'), key('uploads'), key('contents'), key('references'))
  redis.call('HDEL', META, 'upload_bytes')
end
if parts.requests then
  clear_entries()
  redis.call('HSET', META, 'number', 0, 'requests_epoch', next_version())
end
if parts.voices then clear_records() end
if parts.clock then reset_clock() end
if parts.voices then redis.call('HSET', META, 'started_at', exact(now())) end
if parts.faults then reset_rules() end
if parts.accounts then
  redis.call('UNLINK', key('accounts'), key('keys'), key('hits'), key('usage'))
  redis.call('HDEL', META, 'key_bytes')
  redis.call('HSET', META, 'accounts_epoch', next_version())
end
if parts.ids then redis.call('UNLINK', key('ids')) end
touch()
