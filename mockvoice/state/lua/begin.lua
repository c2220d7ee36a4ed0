#!lua
--! sandbox accounts
-- Begin a request: open the account, count the limits, read the clock, reserve a journal entry.
-- Nothing of this if the sandbox selects another edition than that of the request.

local process, provider, operation, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local rules, others = ARGV[6], ARGV[7]
local initial, edition = {unpack(ARGV, 8, 13)}, ARGV[14]

open()
local editions = redis.call('HGET', META, 'editions')
if (cjson.decode(editions)[provider] or '') ~= edition then return {editions} end
local meta = redis.call(
  'HMGET', META, 'requests_epoch', 'voices_epoch', 'accounts_epoch', 'seed', 'started_at',
  'audio', 'rules_version', 'limits', 'frozen', 'offset',
  'valid_keys', 'retry_after', 'strict_fields'
)
local time = clock_time(meta[9], meta[10])
local account = open_account(id, provider, initial)
local number = redis.call('HINCRBY', META, 'number', 1)
local ordinal = redis.call('HINCRBY', key('ids'), provider .. '/' .. operation, 1)
if number == 1 or ordinal == 1 then touch() end  -- later ones when they are committed
local running = 1
if id ~= '' then
  local token = sandbox .. '/' .. meta[1] .. '.' .. number
  redis.call('HSET', running_key(process), token, cmsgpack.pack({sandbox, meta[3], id}))
  redis.call('ZADD', PREFIX .. 'processes', 'NX', exact(real_time()), process)
  running = redis.call('HINCRBY', key('accounts'), 'running ' .. id, 1)
end

-- Count a request in a window of `per` seconds; `hits` are the times of those in the window.
local function count_window(hits, maximum, per)
  while hits[1] and hits[1] <= time - per do table.remove(hits, 1) end
  local used, wait = #hits + 1, 0
  if #hits < maximum then
    hits[#hits + 1] = time
  else
    wait = hits[1] and hits[1] + per - time or per
  end
  return used, hits[1] and hits[1] + per - time or per, wait
end

-- The account's own limits, then the documented ones.
local function applicable(own, documented)
  local found, known, replaced = {}, {}, {}
  local skipped = {}
  for _, name in ipairs(cjson.decode(others)) do skipped[name] = true end
  local given = cjson.decode(rules)
  for _, rule in ipairs(given) do known[rule[1]] = rule[3] end
  for _, limit in ipairs(own) do
    local name, per = limit[1], limit[2].per
    replaced[name] = true
    if per == nil then per = known[name] or cjson.null end
    if not skipped[name] then
      found[#found + 1] = {name, math.floor(limit[2].max), per}
    end
  end
  for _, rule in ipairs(documented and given or {}) do
    if not replaced[rule[1]] then found[#found + 1] = rule end
  end
  return found
end

-- Count the request against its limits, up to the first exceeded one.
local function count(own, documented)
  local results, changed = {}, false
  local hits = redis.call('HGET', key('hits'), id)
  hits = hits and cmsgpack.unpack(hits) or {}
  for _, rule in ipairs(applicable(own, documented)) do
    local name, maximum, per = unpack(rule)
    if type(maximum) == 'table' then maximum = maximum[cjson.decode(account[1])] end
    if maximum then
      local used, reset, wait = running, 0, 0
      if per == cjson.null then
        per = ''
      else
        hits[name] = hits[name] or {}
        used, reset, wait = count_window(hits[name], maximum, per)
        per, changed = exact(per), true
      end
      results[#results + 1] = {name, maximum, per, used, exact(reset), exact(wait)}
      if used > maximum then break end
    end
  end
  if changed and id ~= '' then redis.call('HSET', key('hits'), id, cmsgpack.pack(hits)) end
  return results
end

local documented = meta[8] == 'documented' and rules ~= '[]'
local results = false
if operation ~= '' and (account[6] ~= '[]' or documented) then
  results = count(cjson.decode(account[6]), documented)
end

local retry_at = false
local retries = id ~= '' and redis.call('HGET', key('accounts'), 'retry ' .. id)
if retries then
  retries = cmsgpack.unpack(retries)
  retry_at = retries[operation] or false
  retries[operation] = nil
  if next(retries) then
    redis.call('HSET', key('accounts'), 'retry ' .. id, cmsgpack.pack(retries))
  else
    redis.call('HDEL', key('accounts'), 'retry ' .. id)
  end
end

return {
  meta[1], meta[2], meta[3], number, ordinal, exact(time), meta[4], meta[5], meta[6],
  meta[7], retry_at, account, results, meta[11], meta[12], meta[13],
}
