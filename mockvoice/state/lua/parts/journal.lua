-- The journal: entries by number, in the order in which they were stored.
-- `entries` also has the ids of the files of an entry, where it has any.

local MAX_ERRORS = 100  -- entries with an internal error that outlast the journal
local ENTRY_BYTES = 200  -- of the objects for one entry besides its text

local function entry_uploads(number)
  local ids = redis.call('HGET', key('entries'), 'uploads ' .. number)
  return ids and cmsgpack.unpack(ids) or {}
end

local MAX_DELETIONS = 1000  -- of the journal that are events

-- Count one less.
local function subtract(counts, name)
  if redis.call('HINCRBY', counts, name, -1) <= 0 then redis.call('HDEL', counts, name) end
end

-- Count what a request adds to the coverage of the sandbox, and of all sandboxes; "" is nothing.
-- `before` is what the same request has added until now.
local function cover(name, before)
  for _, counts in ipairs({PREFIX .. 'coverage', exists() and key('coverage') or nil}) do
    if before and before ~= '' then subtract(counts, before) end
    local known = name ~= '' and redis.call('HEXISTS', counts, name) == 1
    if known or name ~= '' and redis.call('HLEN', counts) < MAX_COVERAGE then
      redis.call('HINCRBY', counts, name, 1)
    end
  end
end

-- Make the completion of an entry an event.
local function complete(number)
  redis.call('ZADD', key('completed'), redis.call('HINCRBY', META, 'last_event', 1), number)
  add_event(sandbox, redis.call('HGET', META, 'requests_epoch') .. '.' .. number)
end

-- Delete an entry; returns the files to release.
local function drop_entry(number)
  local ids = entry_uploads(number)
  local size = redis.call('HSTRLEN', key('entries'), number) + ENTRY_BYTES
  redis.call('HINCRBY', META, 'journal_bytes', -size)
  redis.call('HDEL', key('entries'), number, 'uploads ' .. number)
  redis.call('ZREM', key('order'), number)
  redis.call('ZREM', key('completed'), number)
  return ids
end

-- Store an entry among those with an internal error, in place of one with its number.
local function put_error(number, entry)
  local errors = key('errors')
  local order = cmsgpack.unpack(redis.call('HGET', errors, 'order') or cmsgpack.pack({}))
  if redis.call('HSET', errors, number, entry) == 1 then
    order[#order + 1] = number
    if #order > MAX_ERRORS then redis.call('HDEL', errors, table.remove(order, 1)) end
    redis.call('HSET', errors, 'order', cmsgpack.pack(order))
  end
end

-- Store an entry, and evict the oldest ones; `count` says what it is counted as.
-- `count_before` is for an entry that is replaced.
local function put_entry(number, entry, ids, count, is_error, is_complete, count_before)
  local entries, order = key('entries'), key('order')
  retain(ids)
  if redis.call('HEXISTS', entries, number) == 1 then
    release(drop_entry(number))
    subtract(key('counts'), count_before or count)
  end
  redis.call('HINCRBY', key('counts'), count, 1)
  redis.call('HSET', entries, number, entry)
  if #ids > 0 then redis.call('HSET', entries, 'uploads ' .. number, cmsgpack.pack(ids)) end
  redis.call('ZADD', order, redis.call('HINCRBY', META, 'entry', 1), number)
  local bytes = redis.call('HINCRBY', META, 'journal_bytes', #entry + ENTRY_BYTES)
  if is_error then put_error(number, entry) end
  if is_complete then complete(number) end
  local total = redis.call('ZCARD', order)
  while total > MAX_REQUESTS or (bytes > JOURNAL_BYTES and total > 1) do
    release(drop_entry(redis.call('ZRANGE', order, 0, 0)[1]))
    redis.call('HINCRBY', META, 'evicted_entries', 1)
    bytes, total = tonumber(redis.call('HGET', META, 'journal_bytes')), total - 1
  end
end

-- Make the deletion of all entries an event, in place of their completions.
local function complete_deletion()
  local completed, events = key('completed'), {}
  local members = redis.call('ZRANGE', completed, 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    if not tonumber(members[i]) then
      events[#events + 1] = members[i + 1]
      events[#events + 1] = members[i]
    end
  end
  local number = redis.call('HINCRBY', META, 'last_event', 1)
  events[#events + 1] = number
  events[#events + 1] = 'cleared.' .. number
  redis.call('UNLINK', completed)
  redis.call('ZADD', completed, unpack(events))
  redis.call('ZREMRANGEBYRANK', completed, 0, -MAX_DELETIONS - 1)
  add_event(sandbox)
end

-- Delete all entries; numbers continue.
local function clear_entries()
  for _, field in ipairs(redis.call('HKEYS', key('entries'))) do
    if tonumber(field) then release(entry_uploads(field)) end
  end
  redis.call('UNLINK', key('entries'), key('order'), key('counts'), key('errors'))
  redis.call('HDEL', META, 'journal_bytes', 'evicted_entries')
  complete_deletion()
end
