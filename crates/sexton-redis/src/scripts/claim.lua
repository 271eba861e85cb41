-- Decides claims, by the table in sexton_core::lock. ARGV: lead in µs; number of profiles; seven
-- values a profile (what claims of a batch share); four values a claim.
-- Answers the clock, then for each claim a fence (granted, first attempt, no lease), a negative
-- number (denied) or "<fence> <attempt> <lease until>".
local TOO_EARLY, PAUSED, TAKEN, OVERLAP, PLACEMENT = -1, -2, -3, -4, -5
local horizon = now + tonumber(ARGV[1])

local profiles, at = {}, 3
for p = 1, tonumber(ARGV[2]) do
  profiles[ARGV[at]] = { instance = ARGV[at + 1], delivery = ARGV[at + 2], overlap = ARGV[at + 3],
    distinct = ARGV[at + 4] == 'distinct', lease = tonumber(ARGV[at + 5]),
    concurrency = ARGV[at + 6],
    is_light = ARGV[at + 5] == '' and ARGV[at + 4] == 'race',
    run_tail = '\t' .. now_text .. '\t' .. ARGV[at + 6] .. '\t' .. ARGV[at + 1] }
  at = at + 7
end

local fields, count = {}, (#ARGV - at + 1) / 4
for i = 1, count do fields[i] = ARGV[at + (i - 1) * 4] end

-- Everything below the watermark may have a record; above it only what is in AHEAD.
local marks, fences, is_new_field = {}, {}, {}
local members, ticks, asked, asked_for = {}, {}, {}, {}
local has_ahead = call('EXISTS', AHEAD) == 1
for i, text in ipairs(call('HMGET', REG, unpack(fields))) do
  local field, tick_text = fields[i], ARGV[at + (i - 1) * 4 + 1]
  local tick, mark = tick_number(tick_text), marks[field]
  if not mark then
    mark, fences[field] = read_register(text)
    marks[field] = mark
    if not text then is_new_field[field] = true end
  end
  ticks[i] = tick
  members[i] = field .. '\t' .. tick_text
  if has_ahead or tick <= mark then
    asked[#asked + 1] = members[i]
    asked_for[i] = #asked
  end
end
local run_texts, rec_texts = {}, {}
if #asked > 0 then
  run_texts = call('HMGET', RUN, unpack(asked))
  rec_texts = call('HMGET', REC, unpack(asked))
end

local has_pauses, pauses = call('EXISTS', PAUSE) == 1, {}
local function is_paused(field)
  if not has_pauses then return false end
  local task = task_of(field)
  if pauses[task] == nil then pauses[task] = call('HEXISTS', PAUSE, task) == 1 end
  return pauses[task]
end

local reg_writes, run_writes, field_writes = {}, {}, {}
local function flush()
  if #reg_writes > 0 then
    call('HSET', REG, unpack(reg_writes))
    reg_writes = {}
  end
  if #run_writes > 0 then
    call('HSET', RUN, unpack(run_writes))
    run_writes = {}
  end
  if #field_writes > 0 then
    call('ZADD', TASKS, unpack(field_writes))
    field_writes = {}
  end
end

local function register(i, tick_text, fence)
  local field = fields[i]
  fences[field] = fence
  if ticks[i] > marks[field] then
    marks[field] = ticks[i]
    reg_writes[#reg_writes + 1] = field
    reg_writes[#reg_writes + 1] = tick_text .. ' ' .. fence
  else
    flush()
    local text = call('HGET', REG, field)
    local mark = text and sub(text, 1, byte(text) == 45 and 16 or 15) or tick_text
    marks[field] = tick_number(mark)
    call('HSET', REG, field, mark .. ' ' .. fence)
  end
  if is_new_field[field] then
    is_new_field[field] = nil
    field_writes[#field_writes + 1] = 0
    field_writes[#field_writes + 1] = field
  end
end

-- The record as it is now, its class, and its text.
local function look_up(i)
  local member, place = members[i], asked_for[i]
  local rec, run
  if place and not touched[member] then
    rec, run = rec_texts[place], run_texts[place]
  elseif has_ahead or ticks[i] <= marks[fields[i]] then
    flush()
    rec, run = call('HGET', REC, member), call('HGET', RUN, member)
  end
  if rec then
    local r = read_record(rec)
    return r, class_of(r), rec
  end
  if run then return read_run(run), 'run', run end
end

local function has_another_index(i, profile)
  flush()
  local others, task = {}, task_of(fields[i])
  local tail = sub(members[i], #fields[i] + 1)
  for index = 1, tonumber(profile.concurrency) do
    local other = format('%s\t%04d%s', task, index, tail)
    if other ~= members[i] then others[#others + 1] = other end
  end
  if #others == 0 then return false end
  for _, text in ipairs(call('HMGET', REC, unpack(others))) do
    local r = text and read_record(text)
    if r and r.claim ~= '' and r.instance == profile.instance then return true end
  end
  for _, text in ipairs(call('HMGET', RUN, unpack(others))) do
    if text and read_run(text).instance == profile.instance then return true end
  end
  return false
end

local function record_not_granted(i, profile, state, reason)
  register(i, ARGV[at + (i - 1) * 4 + 1], fences[fields[i]])
  flush()
  local r = blank_record(state, reason, profile.concurrency)
  r.delivery, r.overlap = profile.delivery, profile.overlap
  if state ~= 'waiting' then r.instance, r.finished = profile.instance, now_text .. '000' end
  save(members[i], r)
end

-- Lets the tick wait for those before it, in the place of whatever waited so far.
local function queue(i, profile, lane)
  for _, other in ipairs(lane) do
    local member, r = other[1], other[2]
    if r.state == 'waiting' then
      r.state, r.reason, r.finished = 'skipped', 'superseded', now_text .. '000'
      save(member, r, 'queued')
    elseif profile.overlap == 'cancel_earlier' and is_leased_now(r) then
      r.cancel = '1'
      save(member, r, 'leased')
    end
  end
  record_not_granted(i, profile, 'waiting', 'overlap')
end

local function grant(i, profile, attempt, was)
  local fence = fences[fields[i]] + 1
  register(i, ARGV[at + (i - 1) * 4 + 1], fence)
  flush()
  local r = blank_record('running', '', profile.concurrency)
  r.claim, r.instance = ARGV[at + (i - 1) * 4 + 2], profile.instance
  r.fence, r.attempt = int(fence), int(attempt)
  r.delivery, r.overlap = profile.delivery, profile.overlap
  if profile.lease then r.lease = int(now + profile.lease) end
  save(members[i], r, was)
  if has_ahead then call('SREM', AHEAD, members[i]) end
  return r.fence .. ' ' .. r.attempt .. ' ' .. r.lease
end

local function decide(i, profile)
  local member, field = members[i], fields[i]
  local r, class, text = look_up(i)
  if r and r.state == 'running' and r.claim == ARGV[at + (i - 1) * 4 + 2] then
    -- Written again, so that a WAIT behind this call waits for it.
    call('HSET', class == 'run' and RUN or REC, member, text)
    return r.fence .. ' ' .. r.attempt .. ' ' .. r.lease
  end
  if ticks[i] * 1000 > horizon then return TOO_EARLY end
  local is_new = not r and ticks[i] > marks[field]
  if is_paused(field) then
    if is_new then record_not_granted(i, profile, 'skipped', 'paused') end
    return PAUSED
  end
  local attempt = is_new and 1 or r and attempt_open(r)
  if not attempt then return TAKEN end
  if profile.distinct and has_another_index(i, profile) then return PLACEMENT end
  if profile.overlap ~= 'allow' then
    flush()
    local lane = lane_of(field)
    if overlaps(lane, member) then
      if is_new and profile.overlap == 'skip' then
        record_not_granted(i, profile, 'skipped', 'overlap')
      elseif is_new then
        queue(i, profile, lane)
      end
      return OVERLAP
    end
  end
  return grant(i, profile, attempt, class)
end

local answers = { now_text }
for i = 1, count do
  local base = at + (i - 1) * 4
  local profile, field, tick = profiles[ARGV[base + 3]], fields[i], ticks[i]
  if profile.is_light and tick > marks[field] and not has_ahead and tick * 1000 <= horizon
    and not is_paused(field) then
    local fence = fences[field] + 1
    register(i, ARGV[base + 1], fence)
    touched[members[i]] = true
    run_writes[#run_writes + 1] = members[i]
    run_writes[#run_writes + 1] = ARGV[base + 2] .. fence .. profile.run_tail
    answers[i + 1] = fence
  else
    answers[i + 1] = decide(i, profile)
  end
end
flush()
return answers
