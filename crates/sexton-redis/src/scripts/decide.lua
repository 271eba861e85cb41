-- Decides one claim, whatever it is.

local function raise(claim, fence)
  if not claim.text then call('ZADD', TASKS, 0, claim.field) end
  claim.mark, claim.fence = math.max(claim.mark, claim.tick), fence
  write_register(claim.field, claim.text, claim.mark, fence)
end

local function has_another_index(claim, stretch)
  local task = task_of(claim.field)
  for index = 1, tonumber(stretch.concurrency) do
    local other = format('%s\t%04d\t%s', task, index, stretch.tick_text)
    if other ~= claim.member then
      local r = fetch(other)
      if r and r.claim ~= '' and r.instance == stretch.instance then return true end
    end
  end
  return false
end

local function record_not_granted(claim, stretch, state, reason)
  raise(claim, claim.fence)
  local r = blank_record(state, reason, stretch.concurrency)
  r.delivery, r.overlap = stretch.delivery, stretch.overlap
  if state ~= 'waiting' then r.instance, r.finished = stretch.instance, now_text .. '000' end
  save(claim.member, r)
end

-- Lets the tick wait for those before it, in the place of whatever waited so far.
local function queue(claim, stretch, lane)
  for _, other in ipairs(lane) do
    local member, r = other[1], other[2]
    if r.state == 'waiting' then
      r.state, r.reason, r.finished = 'skipped', 'superseded', now_text .. '000'
      save(member, r, 'queued')
    elseif stretch.overlap == 'cancel_earlier' and is_leased_now(r) then
      r.cancel = '1'
      save(member, r, 'leased')
    end
  end
  record_not_granted(claim, stretch, 'waiting', 'overlap')
end

local function grant(claim, stretch, attempt, was)
  raise(claim, claim.fence + 1)
  local r = blank_record('running', '', stretch.concurrency)
  r.claim, r.instance = claim.id, stretch.instance
  r.fence, r.attempt = int(claim.fence), int(attempt)
  r.delivery, r.overlap = stretch.delivery, stretch.overlap
  if stretch.lease then r.lease = int(now + stretch.lease) end
  save(claim.member, r, was)
  if has_ahead then call('SREM', AHEAD, claim.member) end
  return r.fence .. ' ' .. r.attempt .. ' ' .. r.lease
end

-- Writes again what was granted, so that a WAIT behind this call waits for it.
local function grant_again(claim, r, class)
  if class == 'live' then call('HSET', REG, claim.field, claim.text)
  elseif class == 'run' then call('HSET', RUN, claim.member, call('HGET', RUN, claim.member))
  else call('HSET', REC, claim.member, write_record(r)) end
  return r.fence .. ' ' .. r.attempt .. ' ' .. r.lease
end

local function decide(i, stretch)
  flush()
  local field, text = ARGV[FIELD + i], texts[i]
  if not is_each_once then text = call('HGET', REG, field) end
  local mark, fence = read_register(text)
  local claim = { field = field, member = field .. '\t' .. stretch.tick_text, id = id_of(i),
    tick = stretch.tick, text = text, mark = mark, fence = fence }
  -- Everything up to the watermark may have a record; above it only what is in AHEAD.
  local r, class
  if has_ahead or claim.tick <= mark then r, class = fetch(claim.member) end
  if r and r.state == 'running' and r.claim == claim.id then
    return grant_again(claim, r, class)
  end
  if claim.tick * 1000 > horizon then return TOO_EARLY end
  local is_new = not r and claim.tick > mark
  if is_paused(field) then
    if is_new then record_not_granted(claim, stretch, 'skipped', 'paused') end
    return PAUSED
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
  return grant(claim, stretch, attempt, class)
end
