-- What may be claimed although no schedule brings it up, and what waited too long.

local function is_paused(member) return call('HEXISTS', PAUSE, task_of(field_of(member))) == 1 end

-- The attempt that a grant of this record would be, if it may be claimed now, or "missed" if it waited
-- until its deadline had passed. Of a task that is paused nothing is claimed, nor closed as missed.
local function claimable_or_missed(member, r)
  if is_too_late(member, r) then return not is_paused(member) and 'missed' or nil end
  local attempt = attempt_open(r)
  if not attempt then return nil end
  if r.overlap ~= 'allow' and overlaps(lane_of(field_of(member)), member) then return nil end
  return not is_paused(member) and attempt or nil
end
