#!lua
--! sandbox accounts uploads journal
-- Replace the journal entry of a request that was not finished at its commit, and its counts.

local process, token, requests_epoch, finished = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local counted_before, covered_before = ARGV[6], ARGV[7]
local number, counted_as, covered, is_error = tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11] == '1'
local entry, files = ARGV[12], ARGV[13] == '' and {} or cjson.decode(ARGV[13])

if counted_as ~= counted_before then cover(covered, covered_before) end
if exists() and redis.call('HGET', META, 'requests_epoch') == requests_epoch then
  if redis.call('HEXISTS', key('entries'), number) == 1 then
    put_entry(number, entry, files, counted_as, is_error, true, counted_before)
  elseif is_error then
    put_error(number, entry)
  end
  touch()
end
if not finished then end_request(process, token) end
