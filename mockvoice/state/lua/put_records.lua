#!lua
--! sandbox uploads records
-- Store records with the files that they refer to; returns number and revision of each record.
local files = tonumber(ARGV[3])
local FIRST_FILE, FIRST_DATA = 4, 4 + 3 * files  -- data of records, after the files
open()
local stored = {}
for i, record in ipairs(cjson.decode(ARGV[2])) do
  record.data = ARGV[FIRST_DATA + i - 1]
  put_record(record)
  stored[i] = {record.number, record.revision}
end
put_uploads(FIRST_FILE, files)
touch()
return stored
