-- Asks for an execution to be cancelled. One argument: its member. Answers the clock, then "told",
-- "withdrawn" or "not_running".
local member = ARGV[1]
local r, class = fetch(member)
if r and r.state == 'running' then
  r.cancel = '1'
  save(member, r, class)
  return { now_text, 'told' }
elseif r and r.state == 'waiting' then
  r.state, r.cancel, r.finished = 'cancelled', '1', now_text .. '000'
  save(member, r, class)
  return { now_text, 'withdrawn' }
end
return { now_text, 'not_running' }
