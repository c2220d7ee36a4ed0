#!lua flags=allow-oom
--! sandbox records
-- Return the records of these partitions, oldest first.
return replies(list_numbers({unpack(ARGV, 2)}))
