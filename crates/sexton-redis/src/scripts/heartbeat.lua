-- An instance is there. ARGV: its id, what it says of itself without the clock. Answers the clock, the revision,
-- whether a sweep would find something to claim or to close as missed, and the members it holds that somebody
-- asked to cancel.
local LOOKED_AT_MAX = 1000
call('HSET', INST, ARGV[1], now_text .. '\t' .. ARGV[2])

local function needs_sweep(members)
  for _, member in ipairs(members) do
    local r = fetch(member)
    if r and claimable_or_missed(member, r) then return true end
  end
  return #members == LOOKED_AT_MAX
end

local sweep = needs_sweep(call('ZRANGE', WAIT, 0, LOOKED_AT_MAX - 1))
  or needs_sweep(call('ZRANGEBYSCORE', WAKE, '-inf', now_text, 'LIMIT', 0, LOOKED_AT_MAX))
local answers = { now_text, call('HGET', META, 'revision') or '0', sweep and '1' or '0' }
local cancels = call('HGETALL', CANCEL)
for at = 1, #cancels, 2 do
  if cancels[at + 1] == ARGV[1] then answers[#answers + 1] = cancels[at] end
end
return answers
