-- What the holder of a lock says after the grant.

-- The record of a lock and its class, if it is still granted to this very claim.
local function held(member, claim, fence)
  local r, class = fetch(member)
  if r and r.claim == claim and r.fence == fence then return r, class end
end
