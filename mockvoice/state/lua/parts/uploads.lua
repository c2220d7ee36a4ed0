-- Uploaded files (`0 - size`, since Redis rejects the -0 of an empty file), with the number of records and journal entries that refer to each.

-- Count one more reference to each of these files.
local function retain(ids)
  for _, id in ipairs(ids) do redis.call('HINCRBY', key('references'), id, 1) end
end

-- Count one less, and delete the files that have none.
local function release(ids)
  for _, id in ipairs(ids) do
    if redis.call('HINCRBY', key('references'), id, -1) <= 0 then
      local size = redis.call('HSTRLEN', key('uploads'), 'content ' .. id)
      redis.call('HINCRBY', META, 'upload_bytes', 0 - size)
      redis.call('HDEL', key('references'), id)
      redis.call('HDEL', key('uploads'), 'about ' .. id, 'content ' .. id)
      redis.call('ZREM', key('contents'), id)
    end
  end
end

-- Store a file that is referred to; the content of the oldest ones is evicted.
local function put_upload(id, about, content)
  local uploads, contents = key('uploads'), key('contents')
  if redis.call('HEXISTS', key('references'), id) == 0 then return end
  if redis.call('HSETNX', uploads, 'content ' .. id, content) == 0 then return end
  redis.call('HSET', uploads, 'about ' .. id, about)
  redis.call('ZADD', contents, redis.call('HINCRBY', META, 'upload', 1), id)
  local bytes = redis.call('HINCRBY', META, 'upload_bytes', #content)
  while bytes > UPLOAD_BYTES and redis.call('ZCARD', contents) > 1 do
    local oldest = redis.call('ZPOPMIN', contents)[1]
    local size = redis.call('HSTRLEN', uploads, 'content ' .. oldest)
    redis.call('HDEL', uploads, 'content ' .. oldest)
    bytes = redis.call('HINCRBY', META, 'upload_bytes', 0 - size)
  end
end

-- Store files from the arguments: id, description and content of each.
local function put_uploads(first, count)
  for i = first, first + 3 * (count - 1), 3 do put_upload(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
end
