-- Who may be granted an execution that has a record, and what runs beside it.

local function attempts_max(r) return tonumber(match(r.delivery, ':(%d+)$')) or 1 end
local function recovers(r) return r.delivery ~= 'at most once' end

-- The attempt that a grant of this record would be; nil if it is not open to a claim.
local function attempt_open(r)
  if r.state == 'waiting' then return r.attempt == '' and 1 or tonumber(r.attempt) end
  if r.state ~= 'running' or r.lease == '' or not recovers(r) or r.cancel == '1' then return nil end
  local attempt = tonumber(r.attempt) + 1
  if tonumber(r.lease) > now or attempt > attempts_max(r) then return nil end
  return attempt
end

local function is_leased_now(r) return r.lease ~= '' and tonumber(r.lease) > now end

-- What runs under a lease of one (task, index), be the lease over or not, the oldest first, as
-- { { member, record }, … }.
local function lane_of(field)
  local members = call('ZRANGEBYLEX', LANE, '[' .. field .. '\t', '(' .. field .. '\n')
  local lane = {}
  for _, member in ipairs(members) do
    local text = call('HGET', REC, member)
    if text then lane[#lane + 1] = { member, read_record(text) } end
  end
  return lane
end

local function overlaps(lane, member)
  for _, other in ipairs(lane) do
    if other[1] ~= member and is_leased_now(other[2]) then return true end
  end
  return false
end
