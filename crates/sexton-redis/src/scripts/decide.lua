-- Decides one claim, whatever it is.

local function raise(claim, mark, fence)
  if not claim.text then call('ZADD', TASKS, 0, claim.field) end
  write_register(claim.field, claim.text, mark, fence)
  if has_ahead then pass_ahead(claim.field, mark) end
end

local NEWLINE = '\n'
local function is_among(list, instance)
  return list ~= '' and string.find(NEWLINE .. list .. NEWLINE, NEWLINE .. instance .. NEWLINE, 1, true)
end

-- Whether the instance holds, or has held, another index of the tick.
local function has_another_index(claim, stretch)
  local task = task_of(claim.field)
  for index = 1, tonumber(stretch.concurrency) do
    local other = format('%s\t%04d\t%s', task, index, stretch.tick_text)
    if other ~= claim.member then
      local r = fetch(other)
      if r and (r.claim ~= '' and r.instance == stretch.instance
        or is_among(r.former, stretch.instance)) then return true end
    end
  end
  return false
end

local function record_not_granted(claim, stretch, state, reason)
  raise(claim, claim.tick, claim.fence)
  local r = blank_record(state, reason, stretch.concurrency)
  r.delivery, r.overlap = stretch.delivery, stretch.overlap
  if state == 'waiting' then
    r.deadline, has_waiting = stretch.deadline, true
  else
    r.instance, r.finished = stretch.instance, now_text .. '000'
  end
  save(claim.member, r)
end

-- Whether a newer tick takes the place of what waits.
local function is_superseded_by_newer(r) return r.origin == 'scheduled' and not may_have_begun(r) end

-- The member that waits and goes before a claim. `takes_places`: but for what the claim supersedes.
local function goes_first(claim, takes_places)
  return has_waiting and each_waiting(claim.field, claim.member, function(member, r)
    if takes_places and is_superseded_by_newer(r) or is_too_late(member, r) then return nil end
    return member
  end)
end

-- Skips what waits before a tick that takes its place: one waits at most, the newest. What was
-- triggered keeps its turn, and so does what may have begun.
local function supersede(claim)
  if not has_waiting then return end
  each_waiting(claim.field, claim.member, function(member, r)
    if not is_superseded_by_newer(r) or is_too_late(member, r) then return end
    r.state, r.reason, r.finished = 'skipped', 'superseded', now_text .. '000'
    save(member, r, 'waiting')
  end)
end

-- Lets the tick wait for the one that runs, in the place of what waited so far.
local function queue(claim, stretch, lane)
  supersede(claim)
  for _, other in ipairs(lane) do
    local member, r = other[1], other[2]
    if stretch.overlap == 'cancel the earlier' and is_leased_now(r) then
      r.cancel = '1'
      save(member, r, 'leased')
    end
  end
  record_not_granted(claim, stretch, 'waiting', 'overlap')
end

-- Who held an execution before this grant and lost it, with a line break between, where that decides
-- about the tick's other indices.
local FORMER_MAX = 32
local function former_holders(before, stretch)
  local former, holder = before.former, before.instance
  if not stretch.distinct or before.state ~= 'running' or holder == '' or holder == stretch.instance
    or is_among(former, holder) then return former end
  if former == '' then return holder end
  local _, breaks = string.gsub(former, NEWLINE, NEWLINE)
  if breaks + 1 >= FORMER_MAX then former = match(former, '\n(.*)$') end
  return former .. NEWLINE .. holder
end

local function answer_of(r)
  return r.fence .. ' ' .. r.attempt .. ' ' .. r.lease .. ' ' .. r.deadline
end

-- What had a record leaves the watermark where it is.
local function grant(claim, stretch, attempt, before, was)
  raise(claim, before and claim.mark or claim.tick, claim.fence + 1)
  local r = blank_record('running', '', stretch.concurrency)
  r.claim, r.instance = claim.id, stretch.instance
  r.fence, r.attempt = int(claim.fence + 1), int(attempt)
  r.delivery, r.overlap = stretch.delivery, stretch.overlap
  if stretch.lease then r.lease = int(now + stretch.lease) end
  if before then
    r.origin, r.former = before.origin, former_holders(before, stretch)
    -- A lost holder may have begun: what is repeated is repeated however late it is.
    if before.state == 'waiting' then
      local deadline = deadline_behind_running(claim.member, before)
      r.deadline = deadline and int(deadline) or before.deadline
    end
  end
  save(claim.member, r, was)
  return answer_of(r)
end

-- Writes again what was granted, so that a WAIT behind this call waits for it.
local function grant_again(claim, r, class)
  if class == 'live' then call('HSET', REG, claim.field, claim.text)
  elseif class == 'run' then call('HSET', RUN, claim.member, call('HGET', RUN, claim.member))
  else call('HSET', REC, claim.member, write_record(r)) end
  return answer_of(r)
end

local function decide(i, stretch)
  flush()
  local field, text = ARGV[FIELD + i], texts[i]
  if not is_each_once then text = call('HGET', REG, field) end
  local mark, fence = read_register(text)
  local claim = { field = field, member = field .. '\t' .. stretch.tick_text, id = id_of(i),
    tick = stretch.tick, text = text, mark = mark, fence = fence }
  -- Everything up to the watermark may have a record; above it only what AHEAD tells of.
  local r, class
  if has_ahead or claim.tick <= mark then r, class = fetch(claim.member) end
  if r and r.state == 'running' and r.claim == claim.id then
    return grant_again(claim, r, class)
  end
  if claim.tick * 1000 > horizon then return TOO_EARLY end
  local is_new = not r and not stretch.needs_record and claim.tick > mark
  if is_paused(field) then
    if is_new then record_not_granted(claim, stretch, 'skipped', 'paused') end
    return PAUSED
  end
  if r and is_too_late(claim.member, r) then
    close_as_missed(claim.member, r, class)
    return TOO_LATE
  end
  local attempt = is_new and 1 or r and attempt_open(r)
  if not attempt then return TAKEN end
  if stretch.distinct and has_another_index(claim, stretch) then return PLACEMENT end
  if stretch.overlap ~= 'allow' then
    local lane = lane_of(field)
    if overlaps(lane, claim.member) then
      if is_new and stretch.overlap == 'skip' then
        record_not_granted(claim, stretch, 'skipped', 'overlap')
      elseif is_new then
        queue(claim, stretch, lane)
      end
      return OVERLAP
    end
  end
  local takes_places = is_new and (stretch.overlap == 'queue one' or stretch.overlap == 'cancel the earlier')
  -- A lost holder's execution had its turn already.
  local first = not (r and r.state == 'running') and goes_first(claim, takes_places)
  if first then return 'earlier_waits ' .. int(tick_of(first)) end
  if takes_places then supersede(claim) end
  return grant(claim, stretch, attempt, r, class)
end
