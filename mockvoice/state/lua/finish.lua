#!lua
--! sandbox accounts uploads journal
-- Replace the journal entry of a request that was not finished at its commit.

local process, token, requests_epoch, finished = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local number, counted_as, is_error = tonumber(ARGV[6]), ARGV[7], ARGV[9] == '1'
local entry, files = ARGV[10], ARGV[11] == '' and {} or cjson.decode(ARGV[11])

if exists() and redis.call('HGET', META, 'requests_epoch') == requests_epoch then
  if redis.call('HEXISTS', key('entries'), number) == 1 then
    put_entry(number, entry, files, counted_as, is_error, true)
  elseif is_error then
    put_error(number, entry)
  end
  touch()
end
if not finished then end_request(process, token) end
