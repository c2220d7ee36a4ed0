#!lua
--! sandbox accounts
-- Give back what a request used of its limits.
give_back(ARGV[2], tonumber(ARGV[3]), cjson.decode(ARGV[4]))
