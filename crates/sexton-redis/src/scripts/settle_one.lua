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

-- Records how one execution ended, whatever it is.
local function settle(i, at)
  local member = ARGV[FIELD + i] .. '\t' .. ARGV[at]
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
