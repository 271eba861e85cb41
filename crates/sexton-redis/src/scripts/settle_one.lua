-- Mostly nothing waits.
local has_waiting = call('EXISTS', WAIT) == 1

-- The tick that waits in a (task, index), if nothing runs there under a lease any more.
local function waiting_and_free(field)
  local first = each_waiting(field, nil, function(member, r)
    if not is_too_late(member, r) then return member end
  end)
  if not first or overlaps(lane_of(field), first) then return '' end
  return int(tick_of(first))
end

-- Records how one execution ended, whatever it is.
local function settle(i, at)
  local field = ARGV[FIELD + i]
  local member = field .. '\t' .. ARGV[at]
  local r, class = held(member, ARGV[at + 1], ARGV[at + 2])
  if not r then return 'refused' end
  -- What ran without a lease held nobody up.
  local held_others_up = has_waiting and (recovers(r) or r.overlap ~= 'allow')
  if r.state == 'running' or r.state == 'lost' then
    if held_others_up then extend_deadlines(member, now) end
    r.state, r.lease, r.started, r.finished, r.tail =
      ARGV[at + 3], '', ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
    save(member, r, class)
  elseif class ~= 'over' or r.state == 'skipped' or r.state == 'missed' then
    return 'refused'
  end
  return held_others_up and waiting_and_free(field) or ''
end
