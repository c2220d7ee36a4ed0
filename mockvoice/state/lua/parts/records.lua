-- Records. Each has these keys, all of them text from the process:
--
-- partition  provider, collection and account
-- ref        the partition, and the id
-- held       provider, collection and id, for records of any account
-- keys       the values by which queries sort and select, in hexadecimal, by name: see queries.lua
--
-- `index` has the number of each record by its ref. `sorted` has an entry for each key of each
-- record that is not removed: partition, name, value and number. So the entries of one key in one
-- partition are sorted by value and number. Text in hexadecimal has the order of its bytes.

local function read_record(number)
  local stored = redis.call('HGET', key('records'), number)
  return stored and cmsgpack.unpack(stored)
end

local function find_record(ref)
  local number = redis.call('HGET', key('index'), ref)
  return number and read_record(number)
end

-- The beginning of the entries of a key. No partition is the beginning of another one.
local function key_prefix(partition, name)
  return partition .. name .. ' '
end

-- Count a record that is not removed, or no longer.
local function show(record, amount)
  if record.removed then return end
  local command = {amount > 0 and 'ZADD' or 'ZREM', key('sorted')}
  for name, value in pairs(record.keys) do
    if amount > 0 then command[#command + 1] = 0 end
    command[#command + 1] = string.format('%s%s %016d', key_prefix(record.partition, name), value, record.number)
  end
  redis.call(unpack(command))
  if redis.call('HINCRBY', key('held'), record.held, amount) <= 0 then
    redis.call('HDEL', key('held'), record.held)
  end
end

-- Delete a record; its files are released by the caller.
local function drop_record(record)
  redis.call('HDEL', key('records'), record.number)
  redis.call('HDEL', key('index'), record.ref)
  redis.call('ZREM', key('numbers'), record.number)
  show(record, -1)
end

-- Store a record; beyond the limit the oldest is evicted.
-- A record of the same ref is replaced: in its place if it has this number, else at the end.
local function put_record(record)
  retain(record.uploads)
  local before = find_record(record.ref)
  if before then
    drop_record(before)
    release(before.uploads)
  end
  if before and before.number == record.number then
    record.revision = before.revision + 1
  else
    record.number, record.revision = redis.call('HINCRBY', META, 'record', 1), 0
  end
  redis.call('HSET', key('records'), record.number, cmsgpack.pack(record))
  redis.call('HSET', key('index'), record.ref, record.number)
  redis.call('ZADD', key('numbers'), record.number, record.number)
  show(record, 1)
  if redis.call('ZCARD', key('numbers')) > MAX_VOICES then
    local oldest = read_record(redis.call('ZRANGE', key('numbers'), 0, 0)[1])
    drop_record(oldest)
    release(oldest.uploads)
    redis.call('HINCRBY', META, 'evicted_records', 1)
  end
  return record
end

-- Delete a record; a base record, which exists without being stored, is hidden by a removed one.
local function remove_record(record)
  local stored = find_record(record.ref)
  if stored then
    drop_record(stored)
    release(stored.uploads)
  end
  if record.base then
    record.removed, record.uploads, record.number = true, {}, 0
    put_record(record)
  end
end

-- The number of records in a partition that are not removed and whose ids begin with a prefix.
local function count_ids(partition, prefix)
  local begin = key_prefix(partition, 'id') .. prefix
  return redis.call('ZLEXCOUNT', key('sorted'), '[' .. begin, '(' .. begin .. '\255')
end

-- What a process reads of records: number, revision, whether it is removed, and its data.
local function replies(numbers)
  local values = {}
  for _, number in ipairs(numbers) do
    local record = read_record(number)
    values[#values + 1] = {record.number, record.revision, record.removed and 1 or 0, record.data}
  end
  return values
end

-- Delete all records; presets are back.
local function clear_records()
  for _, stored in ipairs(redis.call('HVALS', key('records'))) do
    release(cmsgpack.unpack(stored).uploads)
  end
  for _, kind in ipairs({'records', 'index', 'sorted', 'numbers', 'held'}) do
    redis.call('UNLINK', key(kind))
  end
  redis.call('HDEL', META, 'record', 'evicted_records', 'started_at')
  redis.call('HSET', META, 'voices_epoch', next_version())
end
