-- Keeps locks for another lease. Four arguments a lock: member, claim id, fence, lease in µs.
-- Answers the clock, then for each "lost", or "<cancel requested> <lease until, if it has one>".
local function renew(member, claim, fence, lease)
  local r, class = held(member, claim, fence)
  if not r or r.state ~= 'running' then return 'lost' end
  if r.lease == '' then return r.cancel .. ' ' end
  local lease_until = tonumber(r.lease)
  if lease_until <= now and r.overlap ~= 'allow' then
    local _, last = read_register(call('HGET', REG, field_of(member)))
    if last > tonumber(fence) then return 'lost' end
  end
  r.lease = int(math.max(now + tonumber(lease), lease_until))
  save(member, r, class)
  return r.cancel .. ' ' .. r.lease
end

local answers = { now_text }
for at = 1, #ARGV, 4 do
  answers[#answers + 1] = renew(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return answers
