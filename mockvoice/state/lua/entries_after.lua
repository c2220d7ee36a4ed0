#!lua
--! sandbox
-- Return the events after a number, up to a number of bytes: see wait_for_entries in redis.py.

local overall, after, max_bytes = ARGV[2] == '1', ARGV[3], tonumber(ARGV[4])

local completed, first, last = PREFIX .. 'completed', nil, last_event()
if overall then
  first = redis.call('HGET', EVENTS, 'first')
elseif exists() then
  completed = key('completed')
  first, last = unpack(redis.call('HMGET', META, 'first_event', 'last_event'))
end
if after == '' then return {tonumber(last), {}, 0} end
if not first then return {tonumber(after), {}, 0} end

-- The name of the sandbox of an event, and the entry unless it was evicted or deleted; "" stands
-- for the deletion of its journal.
local function read(member)
  local cleared = string.match(member, '^(.*)cleared%.%d+$')
  if cleared then return overall and string.sub(cleared, 1, -2) or sandbox, '' end
  local name, epoch, number = sandbox, nil, member
  if overall then name, epoch, number = string.match(member, '^(.*)/(%d+)%.(%d+)$') end
  local base = PREFIX .. 's:' .. name .. ':'
  if epoch and redis.call('HGET', base .. 'meta', 'requests_epoch') ~= epoch then return name end
  return name, redis.call('HGET', base .. 'entries', number)
end

local start = tonumber(after)
local is_known = start >= tonumber(first) and start <= tonumber(last)
if not is_known then start = tonumber(first) end
last = tonumber(last)
local events, bytes = {}, 0
local members = redis.call('ZRANGEBYSCORE', completed, '(' .. exact(start), '+inf', 'WITHSCORES')
for i = 1, #members, 2 do
  local name, entry = read(members[i])
  if entry then
    bytes = bytes + #entry
    if #events > 0 and bytes > max_bytes then
      last = events[#events][1]
      break
    end
    events[#events + 1] = {tonumber(members[i + 1]), name, entry}
  end
end
local missed = last - start - #events
if after ~= '0' and not is_known then
  table.insert(events, 1, {start, overall and '*' or sandbox, ''})
end
return {last, events, missed}
