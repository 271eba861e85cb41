-- Records how executions ended. Seven arguments a lock: member, claim id, fence, state, started
-- at, finished at, tail. Answers the clock, then for each "refused", or the tick that waited for
-- this one and may be claimed now, or nothing.
local function settle(at)
  local member = ARGV[at]
  local r, class = held(member, ARGV[at + 1], ARGV[at + 2])
  if not r then return 'refused' end
  if r.state == 'running' or r.state == 'lost' then
    r.state, r.lease, r.started, r.finished, r.tail =
      ARGV[at + 3], '', ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
    save(member, r, class)
  elseif class ~= 'over' or r.state == 'skipped' or r.state == 'missed' then
    return 'refused'
  end
  return queued_and_free(member)
end

local answers = { now_text }
for at = 1, #ARGV, 7 do answers[#answers + 1] = settle(at) end
return answers
