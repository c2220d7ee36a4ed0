#!lua flags=allow-oom
--! sandbox
-- Return the version of the fault rules; data, time, matches and hits of each, by number.
open()
local rules = {}
for _, field in ipairs(redis.call('HKEYS', key('rules'))) do
  if tonumber(field) then
    local rule = cmsgpack.unpack(redis.call('HGET', key('rules'), field))
    local counts = redis.call('HMGET', key('rules'), field .. ' matched', field .. ' hits')
    rules[#rules + 1] = {
      tonumber(field), rule[1], rule[3], tonumber(counts[1] or 0), tonumber(counts[2] or 0),
    }
  end
end
touch()
return {tonumber(redis.call('HGET', META, 'rules_version')), rules}
