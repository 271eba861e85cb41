-- What may be claimed although no schedule brings it up, and what nobody will finish.

-- The attempt that a grant of this record would be, if it may be claimed now.
local function claimable(member, r)
  local attempt = attempt_open(r)
  if not attempt then return nil end
  local field = field_of(member)
  if r.overlap ~= 'allow' and overlaps(lane_of(field), member) then return nil end
  if call('HEXISTS', PAUSE, task_of(field)) == 1 then return nil end
  return attempt
end

local function is_present(instance)
  local text = call('HGET', INST, instance)
  if not text then return false end
  local seen, presence = match(text, '^(%-?%d+)\t(%d+)\t')
  return tonumber(seen) + tonumber(presence) > now
end
