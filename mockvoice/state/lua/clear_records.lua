#!lua flags=allow-oom
--! sandbox uploads records
-- Delete all records.
open()
clear_records()
touch()
