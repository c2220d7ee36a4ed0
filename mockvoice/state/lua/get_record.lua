#!lua flags=allow-oom
--! sandbox records
-- Return the first record with one of these refs.
for i = 2, #ARGV do
  local number = redis.call('HGET', key('index'), ARGV[i])
  if number then return replies({number})[1] end
end
return false
