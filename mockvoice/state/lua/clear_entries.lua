#!lua flags=allow-oom
--! sandbox uploads journal
-- Delete all journal entries.
open()
clear_entries()
touch()
