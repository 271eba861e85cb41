-- What waits for its turn, and until when.

-- Shows what waits of a (task, index), the oldest first, until `show` answers something. `before`
-- is the member that all of it is earlier than, or nil.
local LOOKED_AT_ONCE = 10
local function each_waiting(field, before, show)
  local first, behind = '[' .. field .. '\t', '(' .. (before or field .. '\n')
  repeat
    local members = call('ZRANGEBYLEX', WAIT, first, behind, 'LIMIT', 0, LOOKED_AT_ONCE)
    for _, member in ipairs(members) do
      local text = call('HGET', REC, member)
      local found = text and show(member, read_record(text))
      if found then return found end
      first = '(' .. member
    end
  until #members < LOOKED_AT_ONCE
end

-- The deadline of what is queued, if what it waits for ends at `ended`: as long after that as it was behind
-- its tick, within a bound, since a deadline may be moved more than once.
local QUEUED_AFTER_MAX = 60000000
local LATEST = 253402207200000000
local function later_deadline(member, r, ended)
  local deadline = tonumber(r.deadline)
  local after = math.min(math.max(deadline - tick_of(member) * 1000, 0), QUEUED_AFTER_MAX)
  return math.max(math.min(ended + after, LATEST), deadline)
end

-- The deadline of what is queued behind executions that run, counted from the end of their leases; nil for
-- what is not.
local function deadline_behind_running(member, r)
  if r.reason ~= 'overlap' or r.deadline == '' then return nil end
  local deadline
  for _, other in ipairs(lane_of(field_of(member))) do
    if tick_of(other[1]) < tick_of(member) then
      local later = later_deadline(member, r, tonumber(other[2].lease))
      deadline = math.max(deadline or later, later)
    end
  end
  return deadline
end

-- Whether a record that waits may have begun already: an earlier attempt of it was lost.
local function may_have_begun(r) return r.attempt ~= '' and tonumber(r.attempt) > 1 end

-- Whether a record waits although its deadline has passed.
local function is_too_late(member, r)
  if r.state ~= 'waiting' or r.deadline == '' or tonumber(r.deadline) > now then return false end
  local deadline = deadline_behind_running(member, r)
  return not deadline or deadline <= now
end

-- Gives what is queued behind an execution some time from that one's end.
local function extend_deadlines(ended_member, ended)
  each_waiting(field_of(ended_member), nil, function(member, r)
    if r.reason ~= 'overlap' or r.deadline == '' or tick_of(member) <= tick_of(ended_member) then
      return
    end
    local later = later_deadline(member, r, ended)
    if later > tonumber(r.deadline) then
      r.deadline = int(later)
      save(member, r, 'waiting')
    end
  end)
end

local function close_as_missed(member, r, class)
  r.state, r.reason, r.finished = 'missed', 'too_late', now_text .. '000'
  save(member, r, class)
end
