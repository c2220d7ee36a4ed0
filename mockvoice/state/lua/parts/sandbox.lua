-- The sandbox in ARGV[1]: its keys, its clock, its fault rules, and its creation on first use.

local sandbox = ARGV[1]

-- A sandbox has a fixed set of keys, so that all of them expire together.
local KINDS = {
  'meta', 'ids', 'rules', 'header_rules', 'header_order', 'entries', 'order', 'counts', 'errors', 'completed',
  'records', 'index', 'sorted', 'numbers', 'held',
  'accounts', 'keys', 'hits', 'usage', 'uploads', 'contents', 'references', 'coverage',
}

local function key(kind)
  return PREFIX .. 's:' .. sandbox .. ':' .. kind
end

local function keys_of(name)
  local keys = {}
  for i, kind in ipairs(KINDS) do keys[i] = PREFIX .. 's:' .. name .. ':' .. kind end
  return keys
end

local META, SANDBOXES = key('meta'), PREFIX .. 'sandboxes'

-- A number with all its digits: the conversion of Lua keeps 14 of them.
local function exact(number)
  return string.format('%.17g', number)
end

local function real_time()
  local time = redis.call('TIME')
  return time[1] + time[2] / 1e6
end

local function clock_time(frozen, offset)
  return frozen and tonumber(frozen) or real_time() + tonumber(offset or 0)
end

local function now()
  local clock = redis.call('HMGET', META, 'frozen', 'offset')
  return clock_time(clock[1], clock[2])
end

-- Set the clock that a sandbox starts with: frozen at a time, or running from a time.
local function reset_clock()
  redis.call('HDEL', META, 'frozen', 'offset')
  if CLOCK_FREEZE ~= '' then
    redis.call('HSET', META, 'frozen', CLOCK_FREEZE)
  elseif CLOCK_START ~= '' then
    redis.call('HSET', META, 'offset', exact(tonumber(CLOCK_START) - real_time()))
  end
end

-- A number that this deployment never had before, even if the server has lost its data since.
local function next_version()
  local versions = PREFIX .. 'versions'
  if redis.call('EXISTS', versions) == 0 then
    redis.call('SET', versions, string.format('%.0f', real_time() * 1e6))
  end
  return string.format('%.0f', redis.call('INCR', versions))
end

local EVENTS = PREFIX .. 'events'
local MAX_EVENTS = 10000  -- over all sandboxes

-- The number of the last event of all sandboxes. The first one is later than those of an earlier
-- server, the last of which a client may have seen.
local function last_event()
  if redis.call('EXISTS', EVENTS) == 0 then
    local first = string.format('%.0f', real_time() * 1000)
    redis.call('HSET', EVENTS, 'first', first, 'last', first)
  end
  return redis.call('HGET', EVENTS, 'last')
end

-- Number an event over all sandboxes, and wake the processes that wait for one: the completion of
-- an entry, or the deletion of the journal of the sandbox.
local function add_event(name, entry)
  last_event()
  local number = redis.call('HINCRBY', EVENTS, 'last', 1)
  redis.call('ZADD', PREFIX .. 'completed', number, name .. '/' .. (entry or 'cleared.' .. number))
  redis.call('ZREMRANGEBYRANK', PREFIX .. 'completed', 0, -MAX_EVENTS - 1)
  redis.call('PUBLISH', EVENTS, name)
end

-- Restart the period after which an idle sandbox expires: when keys were added, and otherwise in
-- each tenth of the period, since so many commands take time.
local function touch()
  if SANDBOX_TTL == 0 then return end
  local keys, time = keys_of(sandbox), real_time()
  local total = redis.call('EXISTS', unpack(keys))
  local last = redis.call('HMGET', META, 'touched_at', 'touched_keys')
  if tonumber(last[2]) == total and time < last[1] + SANDBOX_TTL / 10 then return end
  redis.call('HSET', META, 'touched_at', exact(time), 'touched_keys', total)
  for _, name in ipairs(keys) do redis.call('EXPIRE', name, SANDBOX_TTL) end
end

local function rules_changed()
  local any = redis.call('EXISTS', key('rules')) == 1
  redis.call('HSET', META, 'rules_version', any and next_version() or 0)
end

-- Add a fault rule; beyond the limit the oldest is evicted. `plan` is for take_faults.lua.
local function add_rule(data, plan, created_at)
  local number = redis.call('HINCRBY', META, 'rule', 1)
  redis.call('HSET', key('rules'), number, cmsgpack.pack({data, plan, created_at}))
  local oldest, total = number, 0
  for _, field in ipairs(redis.call('HKEYS', key('rules'))) do
    local other = tonumber(field)  -- the other fields are counters
    if other then oldest, total = math.min(oldest, other), total + 1 end
  end
  if total > MAX_FAULTS then
    redis.call('HDEL', key('rules'), oldest, oldest .. ' matched', oldest .. ' hits')
  end
  rules_changed()
  return number
end

-- Replace all fault rules by the configured ones.
local function reset_rules()
  redis.call('DEL', key('rules'), key('header_rules'), key('header_order'))
  redis.call('HSET', META, 'rule', 0, 'rules_version', 0)
  local created_at = exact(now())
  for _, rule in ipairs(cjson.decode(FAULTS)) do add_rule(rule[1], rule[2], created_at) end
end

local function check_schema()
  local schema = redis.call('GET', PREFIX .. 'schema')
  if schema and schema ~= SCHEMA then error('MOCKVOICE-SCHEMA ' .. schema, 0) end
  if not schema then redis.call('SET', PREFIX .. 'schema', SCHEMA) end
end

-- Evict the oldest sandboxes beyond the limit; the default one is not among them.
local function evict_sandboxes()
  for _, name in ipairs(redis.call('ZRANGE', SANDBOXES, 0, -1)) do
    local is_expired = redis.call('EXISTS', PREFIX .. 's:' .. name .. ':meta') == 0
    if is_expired then redis.call('ZREM', SANDBOXES, name) end
  end
  local total = redis.call('ZCARD', SANDBOXES)
  if total <= MAX_SANDBOXES then return end
  for _, name in ipairs(redis.call('ZRANGE', SANDBOXES, 0, total - MAX_SANDBOXES - 1)) do
    redis.call('ZREM', SANDBOXES, name)
    redis.call('UNLINK', unpack(keys_of(name)))
    add_event(name)
  end
end

local function exists()
  return redis.call('EXISTS', META) == 1
end

-- Create the sandbox unless it exists.
local function open()
  if exists() then return end
  check_schema()
  redis.call('UNLINK', unpack(keys_of(sandbox)))
  local event = last_event()
  redis.call('HSET', META, 'first_event', event, 'last_event', event)
  reset_clock()
  redis.call(
    'HSET', META, 'seed', SEED .. '/' .. sandbox, 'audio', AUDIO, 'limits', LIMITS,
    'valid_keys', VALID_KEYS, 'retry_after', RETRY_AFTER,
    'strict_fields', STRICT_FIELDS, 'editions', EDITIONS, 'started_at', exact(now()),
    'requests_epoch', next_version(),
    'voices_epoch', next_version(), 'accounts_epoch', next_version()
  )
  reset_rules()
  if sandbox ~= '' then
    redis.call('ZADD', SANDBOXES, next_version(), sandbox)
    if redis.call('ZCARD', SANDBOXES) > MAX_SANDBOXES then evict_sandboxes() end
  end
end
