-- What the holder of a lock says after the grant.

-- The record of a lock and its class, if it is still granted to this very claim.
local function held(member, claim, fence)
  local r, class = fetch(member)
  if r and r.claim == claim and r.fence == fence then return r, class end
end

-- Mostly nothing is queued and nothing leased.
local has_lanes = call('EXISTS', LANE) == 1

-- The tick queued behind earlier executions of a (task, index), if nothing runs there any more.
local function queued_and_free(member)
  if not has_lanes then return '' end
  local lane = lane_of(field_of(member))
  for _, other in ipairs(lane) do
    if other[2].state == 'waiting' then
      if overlaps(lane, other[1]) then return '' end
      return int(tick_of(other[1]))
    end
  end
  return ''
end
