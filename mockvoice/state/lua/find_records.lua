#!lua flags=allow-oom
--! sandbox records
-- Return a page of the records that a query finds: the records, how many all pages have, and those
-- of the refs that are stored.

local query = cjson.decode(ARGV[2])

-- The entries of a key in a partition: the rank of the first one, and how many there are.
local function span(partition, name)
  local prefix = key_prefix(partition, name)
  return {
    prefix = prefix,
    first = redis.call('ZLEXCOUNT', key('sorted'), '-', '(' .. prefix),
    total = redis.call('ZLEXCOUNT', key('sorted'), '[' .. prefix, '(' .. prefix .. '\255'),
  }
end

-- The value and the number of each entry of a span from a position up to another one.
local function read_span(found, from, to)
  local values = {}
  to = math.min(to, found.total) - 1
  if from > to then return values end
  for i, entry in ipairs(redis.call('ZRANGE', key('sorted'), found.first + from, found.first + to)) do
    values[i] = {string.sub(entry, #found.prefix + 1, -18), tonumber(string.sub(entry, -16))}
  end
  return values
end

local function is_before(one, other)
  if one[1] ~= other[1] then return one[1] < other[1] end
  return one[2] < other[2]
end

local function merge(one, other)
  local merged, i, j = {}, 1, 1
  while one[i] or other[j] do
    if one[i] and (not other[j] or is_before(one[i], other[j])) then
      merged[#merged + 1], i = one[i], i + 1
    else
      merged[#merged + 1], j = other[j], j + 1
    end
  end
  return merged
end

-- A slice of one or two spans as if they were one: see slice_of in records.py.
local function slice(spans, from, to)
  table.sort(spans, function(one, other) return one.total > other.total end)
  local shorter = spans[2] and spans[2].total or 0
  local skipped = math.max(from - shorter, 0)
  local values = read_span(spans[1], skipped, to)
  if shorter > 0 then values = merge(values, read_span(spans[2], 0, shorter)) end
  local numbers = {}
  for i = from - skipped + 1, math.min(to - skipped, #values) do numbers[#numbers + 1] = values[i][2] end
  return numbers
end

-- Both are in hexadecimal: two digits for each byte.
local function contains(value, text)
  local at = string.find(value, text, 1, true)
  while at and at % 2 == 0 do at = string.find(value, text, at + 1, true) end
  return at ~= nil
end

-- Set the numbers of the records that pass a test.
local function pass(test)
  local numbers = {}
  for _, partition in ipairs(query.partitions) do
    for _, name in ipairs(test.keys) do
      local prefix = key_prefix(partition, name)
      local begin = prefix
      if test.test ~= 'contains' then begin = begin .. test.text end
      if test.test == 'is' then begin = begin .. ' ' end
      for _, entry in ipairs(redis.call('ZRANGEBYLEX', key('sorted'), '[' .. begin, '(' .. begin .. '\255')) do
        if test.test ~= 'contains' or contains(string.sub(entry, #prefix + 1, -18), test.text) then
          numbers[tonumber(string.sub(entry, -16))] = true
        end
      end
    end
  end
  return numbers
end

-- The numbers of the records that pass all tests, in the order of the query.
local function select_numbers(spans, total)
  local sets, found = {}, {}
  for i, test in ipairs(query.where) do sets[i] = pass(test) end
  local function add(number)
    for _, numbers in ipairs(sets) do
      if not numbers[number] then return end
    end
    found[#found + 1] = number
  end
  if query.order ~= '' then
    for _, number in ipairs(slice(spans, 0, total)) do add(number) end
  else
    for number in pairs(sets[1]) do add(number) end
    table.sort(found)
  end
  return found
end

local spans, total = {}, 0
for i, partition in ipairs(query.partitions) do
  spans[i] = span(partition, query.order)
  total = total + spans[i].total
end
local selected = #query.where > 0 and select_numbers(spans, total)
if selected then total = #selected end

local from = math.min(query.offset, total)
local to = query.limit == cjson.null and total or math.min(from + query.limit, total)
if query.descending then from, to = total - to, total - from end

local numbers = {}
if selected then
  for i = from + 1, to do numbers[#numbers + 1] = selected[i] end
else
  numbers = slice(spans, from, to)
end
if query.descending then
  for i = 1, math.floor(#numbers / 2) do
    local j = #numbers + 1 - i
    numbers[i], numbers[j] = numbers[j], numbers[i]
  end
end

local stored = {}
for i, refs in ipairs(query.refs) do
  for _, ref in ipairs(refs) do
    if redis.call('HEXISTS', key('index'), ref) == 1 then stored[i] = 1 end
  end
  stored[i] = stored[i] or 0
end
return {replies(numbers), total, stored}
