#!lua
--! sandbox
-- Add a fault rule; returns its number and the time.
open()
local created_at = exact(now())
local number = add_rule(ARGV[2], ARGV[3], created_at)
touch()
return {number, created_at}
