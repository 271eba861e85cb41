-- An instance is there. ARGV: its id, its presence in µs, its incarnation, what else it says of itself, and "ask" where
-- it is decided whether it has its id, "yes" or "no" where that was decided elsewhere. Answers the clock,
-- whether a sweep would find something to claim or to close as missed, what is kept of the incarnation that has the id if
-- that is another, and the members it holds that somebody asked to cancel.
local LOOKED_AT_MAX, DAY = 1000, 86400 * 1000000
local id, presence, incarnation, has_it = ARGV[1], ARGV[2], ARGV[3], ARGV[5]

-- As `stored::report` decides.
local since, holder = now_text, ''
local kept = call('HGET', INST, id)
local seen, lasts, was_since, whose = match(kept or '', '^(%-?%d+)\t(%d+)\t(%-?%d+)\t(%x+)\t')
if whose == incarnation then
  since = was_since
  if now < tonumber(seen) then
    since = int(math.min(tonumber(was_since), now - math.min(tonumber(presence), DAY)))
  end
elseif whose and has_it == 'ask' and 2 * math.abs(now - tonumber(seen)) < tonumber(lasts) then
  holder = kept
end
if holder == '' and has_it ~= 'no' then
  call('HSET', INST, id, table.concat({ now_text, presence, since, incarnation, ARGV[4] }, '\t'))
end

local function needs_sweep(members)
  for _, member in ipairs(members) do
    local r = fetch(member)
    if r and claimable_or_missed(member, r) then return true end
  end
  return #members == LOOKED_AT_MAX
end

local sweep = needs_sweep(call('ZRANGE', WAIT, 0, LOOKED_AT_MAX - 1))
  or needs_sweep(call('ZRANGEBYSCORE', WAKE, '-inf', now_text, 'LIMIT', 0, LOOKED_AT_MAX))
local answers = { now_text, sweep and '1' or '0', holder }
local cancels = call('HGETALL', CANCEL)
for at = 1, #cancels, 2 do
  if cancels[at + 1] == id then answers[#answers + 1] = cancels[at] end
end
return answers
