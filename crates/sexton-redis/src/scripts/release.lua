-- Gives back locks whose execution was not started. Three arguments a lock: member, claim id, fence.
-- Answers the clock, then for each "open" or "not_held".
local function release(member, claim, fence)
  local r, class = held(member, claim, fence)
  if not r or r.state ~= 'running' then return 'not_held' end
  if r.cancel == '1' then
    r.state, r.finished = 'cancelled', now_text .. '000'
  else
    r.state = 'waiting'
  end
  r.claim, r.instance, r.lease = '', '', ''
  save(member, r, class)
  return 'open'
end

local answers = { now_text }
for at = 1, #ARGV, 3 do
  answers[#answers + 1] = release(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
return answers
