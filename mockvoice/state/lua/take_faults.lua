#!lua
--! sandbox accounts
-- Count a match of these fault rules, in their order, and return the ones that fire.
--
-- The plan of a rule says for which matches it fires. `steps` has one character for each step: "-"
-- for success, else a digit with 1 for a fault that replaces the operation and 2 for one that lets
-- another rule fire.

local id, time, limits, version = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local header_rules = cjson.decode(ARGV[6])  -- id and plan of those in the headers of the request
local MAX_HEADER_RULES = 1000  -- of a sandbox whose counts are remembered

local function draw(...)
  local digest = redis.sha1hex(table.concat({...}, '/'))
  return tonumber(string.sub(digest, 1, 13), 16) / 16 ^ 13
end

-- Add a rule from the headers of a request, unless an equal one is there.
local function add_header_rule(rule_id, plan)
  local rules, order = key('header_rules'), key('header_order')
  if redis.call('HSETNX', rules, rule_id, cmsgpack.pack({'', plan, exact(time)})) == 0 then return end
  redis.call('ZADD', order, redis.call('HINCRBY', META, 'header_rule', 1), rule_id)
  if redis.call('ZCARD', order) > MAX_HEADER_RULES then
    local oldest = redis.call('ZPOPMIN', order)[1]
    redis.call('HDEL', rules, oldest, oldest .. ' matched', oldest .. ' hits')
  end
end

-- Count a match; returns its number, the step, and whether the step fires.
local function match(rules, name, rule_id, plan)
  local matched = tonumber(redis.call('HGET', rules, name .. ' matched') or 0)
  local hits = tonumber(redis.call('HGET', rules, name .. ' hits') or 0)
  if plan.sequence and matched >= #plan.steps or plan.times and hits >= plan.times then return end
  matched = redis.call('HINCRBY', rules, name .. ' matched', 1)
  local step, due = 0, nil
  if plan.sequence then
    step = matched - 1
    due = string.sub(plan.steps, matched, matched) ~= '-'
  else
    due = matched > plan.skip and (matched - plan.skip - 1) % plan.every == 0
  end
  if plan.probability < 1 then
    due = due and draw(redis.call('HGET', META, 'seed'), rule_id, matched) < plan.probability
  end
  if due then redis.call('HINCRBY', rules, name .. ' hits', 1) end
  return matched, step, due
end

local taken, replaces_operation = {}, false

-- Count a match of a rule; returns true if no other rule may fire.
local function take(kind, name, rule_id)
  local rule = redis.call('HGET', key(kind), name)
  rule = rule and cmsgpack.unpack(rule)
  local plan = rule and cjson.decode(rule[2])
  if not plan or plan.expires_in and time >= tonumber(rule[3]) + plan.expires_in then return end
  local matched, step, due = match(key(kind), name, rule_id, plan)
  if not matched then return end
  local effect = string.sub(plan.steps, step + 1, step + 1)
  if not due then return kind == 'header_rules' and effect == '-' end
  taken[#taken + 1] = {rule_id, step, matched}
  effect = tonumber(effect)
  replaces_operation = replaces_operation or effect % 2 == 1
  return effect < 2
end

local function take_all()
  for _, rule in ipairs(header_rules) do
    add_header_rule(rule[1], rule[2])
    if take('header_rules', rule[1], rule[1]) then return end
  end
  for i = 7, #ARGV do
    if take('rules', string.sub(ARGV[i], 7), ARGV[i]) then return end  -- 7 of fault_7
  end
end

open()
if redis.call('HGET', META, 'rules_version') ~= version then return false end
take_all()
if replaces_operation then give_back(id, time, cjson.decode(limits)) end
touch()
return taken
