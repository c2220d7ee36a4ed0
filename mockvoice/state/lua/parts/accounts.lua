-- Accounts: `accounts` has their state, each part as the JSON that a process wrote, with the number
-- of requests in progress. The id of an account is its provider, a slash and its key.

local STATE = {'tier', 'credit', 'trial_ended', 'models', 'listed', 'limits'}

local function fields_of(id)
  local fields = {}
  for i, name in ipairs(STATE) do fields[i] = name .. ' ' .. id end
  return fields
end

local function read_account(id)
  local state = redis.call('HMGET', key('accounts'), unpack(fields_of(id)))
  return state[1] and state or nil
end

local function change_account(id, state)
  for name, value in pairs(state) do
    redis.call('HSET', key('accounts'), name .. ' ' .. id, value)
  end
end

local function drop_account(id)
  redis.call('HDEL', key('accounts'), 'running ' .. id, 'retry ' .. id, unpack(fields_of(id)))
  redis.call('ZREM', key('keys'), id)
  redis.call('HDEL', key('hits'), id)
  redis.call('ZREMRANGEBYLEX', key('usage'), '[' .. id .. '\0', '[' .. id .. '\0\255')
  redis.call('HINCRBY', META, 'key_bytes', -#id)
end

-- Evict the oldest accounts.
local function evict_accounts()
  local total = redis.call('ZCARD', key('keys'))
  local bytes = tonumber(redis.call('HGET', META, 'key_bytes'))
  while total > MAX_ACCOUNTS or (bytes > MAX_KEY_BYTES and total > 0) do
    drop_account(redis.call('ZRANGE', key('keys'), 0, 0)[1])
    total, bytes = total - 1, tonumber(redis.call('HGET', META, 'key_bytes'))
  end
end

-- Return the state of an account; a new one has `initial`, and what was set for every key.
local function open_account(id, provider, initial)
  local state = id ~= '' and read_account(id)
  if state then return state end
  local every = redis.call('HGET', key('accounts'), 'every ' .. provider)
  every = every and cmsgpack.unpack(every) or {}
  for i, name in ipairs(STATE) do initial[i] = every[name] or initial[i] end
  if id ~= '' then  -- requests without a key have no account
    for i, field in ipairs(fields_of(id)) do
      redis.call('HSET', key('accounts'), field, initial[i])
    end
    redis.call('ZADD', key('keys'), redis.call('HINCRBY', META, 'account', 1), id)
    redis.call('HINCRBY', META, 'key_bytes', #id)
    evict_accounts()
  end
  return initial
end

-- A request in progress is a field of a hash of its process, so that it ends with its process.
local function running_key(process)
  return PREFIX .. 'running:' .. process
end

-- End a request in progress, whether its account still exists or not.
local function end_request(process, token)
  local running = running_key(process)
  local request = redis.call('HGET', running, token)
  if not request then return end
  redis.call('HDEL', running, token)
  local name, epoch, id = unpack(cmsgpack.unpack(request))
  local meta, accounts = PREFIX .. 's:' .. name .. ':meta', PREFIX .. 's:' .. name .. ':accounts'
  if redis.call('HGET', meta, 'accounts_epoch') == epoch
    and redis.call('HEXISTS', accounts, 'running ' .. id) == 1 then
    redis.call('HINCRBY', accounts, 'running ' .. id, -1)
  end
end

-- Undo the count of a request that began at this time against these limits.
local function give_back(id, time, limits)
  local hits = redis.call('HGET', key('hits'), id)
  if not hits then return end
  hits = cmsgpack.unpack(hits)
  for _, name in ipairs(limits) do
    for i, moment in ipairs(hits[name] or {}) do
      if moment == time then
        table.remove(hits[name], i)
        break
      end
    end
  end
  redis.call('HSET', key('hits'), id, cmsgpack.pack(hits))
end
