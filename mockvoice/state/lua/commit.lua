#!lua
--! sandbox accounts uploads journal records
-- Apply all changes of a request and complete its journal entry, or neither.

local process, token = ARGV[2], ARGV[3]
local requests_epoch, voices_epoch, accounts_epoch = ARGV[4], ARGV[5], ARGV[6]
local id, operation, finished, retry_at = ARGV[7], ARGV[8], ARGV[9] == '1', ARGV[10]
local number, counted_as, covered, is_error = tonumber(ARGV[11]), ARGV[12], ARGV[13], ARGV[14] == '1'
local entry, entry_files = ARGV[15], ARGV[16] == '' and {} or cjson.decode(ARGV[16])
local changes = ARGV[17] == '' and {} or cjson.decode(ARGV[17])
local again, files = ARGV[18] == '1', tonumber(ARGV[19])
local FIRST_FILE, FIRST_DATA = 20, 20 + 3 * files  -- data of records, after the files

if not exists() then  -- evicted while the request was in progress
  if not again then cover(covered) end
  end_request(process, token)
  return false
end
local epochs = redis.call('HMGET', META, 'requests_epoch', 'voices_epoch', 'accounts_epoch')
local account = id ~= '' and epochs[3] == accounts_epoch and read_account(id) or nil
if epochs[2] ~= voices_epoch then changes = {} end

local total = 0
for _, change in ipairs(changes) do
  if change.kind == 'spend' then total = total + change.amount end
end

-- Preconditions, by kind of change.
local is_met = {
  put = function(change)
    if change.revision == cjson.null then return true end
    local stored = find_record(change.record.ref)
    if not stored then return change.record.base end
    return stored.revision == change.revision and stored.number == change.record.number
  end,
  at_most = function(change)
    local found = 0
    for _, partition in ipairs(change.partitions) do
      found = found + count_ids(partition, change.prefix)
    end
    return found <= change.limit
  end,
  spend = function()
    local credit = account and cjson.decode(account[2]) or cjson.null
    return credit == cjson.null or credit >= total
  end,
}
for _, change in ipairs(changes) do
  if is_met[change.kind] and not is_met[change.kind](change) then return account or {} end
end

local apply = {
  put = function(change)
    change.record.data = ARGV[FIRST_DATA + change.data]
    put_record(change.record)
  end,
  remove = function(change)
    change.record.data = ARGV[FIRST_DATA + change.data]
    remove_record(change.record)
  end,
  spend = function(change)
    if not account then return end
    local credit = cjson.decode(redis.call('HGET', key('accounts'), 'credit ' .. id))
    if credit == cjson.null then return end
    change_account(id, {credit = exact(credit - change.amount)})
  end,
  use = function(change)
    if not account then return end
    local usage = key('usage')
    local begin = '[' .. id .. '\0'
    local place = string.format('%016d', redis.call('HINCRBY', META, 'use', 1))
    redis.call('ZADD', usage, 0, id .. '\0' .. place .. change.usage)
    if redis.call('ZLEXCOUNT', usage, begin, begin .. '\255') > USAGE_ENTRIES then
      redis.call('ZREM', usage, unpack(redis.call('ZRANGEBYLEX', usage, begin, begin .. '\255', 'LIMIT', 0, 1)))
    end
  end,
}
for _, change in ipairs(changes) do
  if apply[change.kind] then apply[change.kind](change) end
end

local was_evicted = again and redis.call('HEXISTS', key('entries'), number) == 0
if epochs[1] == requests_epoch and not was_evicted then
  put_entry(number, entry, entry_files, counted_as, is_error, finished)
end
if not again then cover(covered) end
put_uploads(FIRST_FILE, files)
if account and retry_at ~= '' then
  local retries = redis.call('HGET', key('accounts'), 'retry ' .. id)
  retries = retries and cmsgpack.unpack(retries) or {}
  retries[operation] = retry_at
  redis.call('HSET', key('accounts'), 'retry ' .. id, cmsgpack.pack(retries))
end
if finished then end_request(process, token) end
touch()
return false
