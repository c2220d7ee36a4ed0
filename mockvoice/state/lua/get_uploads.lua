#!lua flags=allow-oom
--! sandbox
-- Return uploaded files: what is known of each, and its content unless it was evicted.
local files = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local file = redis.call('HMGET', key('uploads'), 'about ' .. id, 'content ' .. id)
  if file[1] then files[#files + 1] = {id, file[1], file[2]} end
end
return files
