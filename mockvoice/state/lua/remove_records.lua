#!lua
--! sandbox uploads records
-- Delete records; base records stay hidden until a reset.
open()
for i, record in ipairs(cjson.decode(ARGV[2])) do
  record.data = ARGV[2 + i]
  remove_record(record)
end
touch()
