#!lua flags=allow-oom
--! sandbox records
-- Return the records with these refs, in their order.
local numbers = {}
for i = 2, #ARGV do
  local number = redis.call('HGET', key('index'), ARGV[i])
  if number then table.insert(numbers, number) end
end
return replies(numbers)
