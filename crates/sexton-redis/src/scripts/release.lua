-- Gives back locks whose execution was not started. Four arguments a lock: member, claim id, fence, and
-- until when it may be granted again in µs, or nothing.
-- Answers the clock, then for each "open", "too_late" or "not_held".
local function release(member, claim, fence, deadline)
  local r, class = held(member, claim, fence)
  if not r or r.state ~= 'running' then return 'not_held' end
  if r.cancel == '1' then
    r.state, r.finished = 'cancelled', now_text .. '000'
  else
    r.state = 'waiting'
  end
  r.claim, r.instance, r.lease = '', '', ''
  -- What is repeated is repeated however late it is.
  if may_have_begun(r) then r.deadline = ''
  elseif r.deadline == '' then r.deadline = deadline end
  if is_too_late(member, r) then
    close_as_missed(member, r, class)
    return 'too_late'
  end
  save(member, r, class)
  return 'open'
end

local answers = { now_text }
for at = 1, #ARGV, 4 do
  answers[#answers + 1] = release(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return answers
