-- Drops records that are over, of ticks older than so many µs, the oldest first. ARGV: the age, how many at most. Answers
-- the clock and how many went. Instances that have not been there for that long are forgotten as well.
local oldest = now - tonumber(ARGV[1])
local members = call('ZREVRANGEBYSCORE', HIST, '+inf', '(' .. format('%.3f', -oldest / 1000),
  'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  call('ZREM', HIST, member)
  call('HDEL', REC, member)
end
local instances = call('HGETALL', INST)
for at = 1, #instances, 2 do
  local seen, presence = match(instances[at + 1], '^(%-?%d+)\t(%d+)\t')
  if tonumber(seen) + tonumber(presence) < oldest - 86400000000 then
    call('HDEL', INST, instances[at])
  end
end
return { now_text, int(#members) }
