#!lua
--! sandbox accounts
-- Count a match of these fault rules, in their order, and return the ones that fire.
--
-- The plan of a rule says for which matches it fires. `steps` has one character for each step: "-"
-- for success, else a digit with 1 for a fault that replaces the operation and 2 for one that lets
-- another rule fire.

local id, time, limits, version = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]

local function draw(...)
  local digest = redis.sha1hex(table.concat({...}, '/'))
  return tonumber(string.sub(digest, 1, 13), 16) / 16 ^ 13
end

-- Count a match; returns its number and the step that fires, if any.
local function match(number, plan)
  local matched = tonumber(redis.call('HGET', key('rules'), number .. ' matched') or 0)
  local hits = tonumber(redis.call('HGET', key('rules'), number .. ' hits') or 0)
  if plan.sequence and matched >= #plan.steps or plan.times and hits >= plan.times then return end
  matched = redis.call('HINCRBY', key('rules'), number .. ' matched', 1)
  local step, due = 0, nil
  if plan.sequence then
    step = matched - 1
    due = string.sub(plan.steps, matched, matched) ~= '-'
  else
    due = matched > plan.skip and (matched - plan.skip - 1) % plan.every == 0
  end
  if plan.probability < 1 then
    local seed = redis.call('HGET', META, 'seed')
    due = due and draw(seed, 'fault_' .. number, matched) < plan.probability
  end
  if not due then return end
  redis.call('HINCRBY', key('rules'), number .. ' hits', 1)
  return matched, step
end

local function is_expired(rule, plan)
  return plan.expires_in and time >= tonumber(rule[3]) + plan.expires_in
end

if redis.call('HGET', META, 'rules_version') ~= version then return false end
local taken, replaces_operation = {}, false
for i = 6, #ARGV do
  local number = string.sub(ARGV[i], 7)  -- of fault_7
  local rule = redis.call('HGET', key('rules'), number)
  rule = rule and cmsgpack.unpack(rule)
  local plan = rule and cjson.decode(rule[2])
  local matched, step
  if plan and not is_expired(rule, plan) then matched, step = match(number, plan) end
  if matched then
    taken[#taken + 1] = {ARGV[i], step, matched}
    local effect = tonumber(string.sub(plan.steps, step + 1, step + 1))
    replaces_operation = replaces_operation or effect % 2 == 1
    if effect < 2 then break end
  end
end

if replaces_operation then give_back(id, time, cjson.decode(limits)) end
return taken
