-- Decides claims, by the table in sexton_core::lock. ARGV: lead in µs; "1" if no (task, index) is
-- there twice; how many claims; how many stretches of claims that have all else in common; ten
-- values a stretch; the fields of the claims; their ids in one, 32 digits each.
-- Answers the clock, then for each claim a fence (granted, first attempt, no lease, no deadline), a
-- negative number (denied), "earlier_waits <tick>" or "<fence> <attempt> <lease until> <deadline>".
local TOO_EARLY, PAUSED, TAKEN, OVERLAP, PLACEMENT, TOO_LATE = -1, -2, -3, -4, -5, -6
local horizon = now + tonumber(ARGV[1])
local is_each_once, count = ARGV[2] == '1', tonumber(ARGV[3])

local stretches, at = {}, 5
for s = 1, tonumber(ARGV[4]) do
  stretches[s] = { count = tonumber(ARGV[at]), tick_text = ARGV[at + 1], tick = tick_number(ARGV[at + 1]),
    instance = ARGV[at + 2], delivery = ARGV[at + 3], overlap = ARGV[at + 4],
    distinct = ARGV[at + 5] == 'distinct', lease = tonumber(ARGV[at + 6]),
    concurrency = ARGV[at + 7], deadline = ARGV[at + 8],
    needs_record = ARGV[at + 9] == '1' }
  at = at + 10
end
-- Where the fields stand, less one.
local FIELD, ids = at - 1, ARGV[at + count]
local function id_of(i) return sub(ids, i * 32 - 31, i * 32) end

local texts = call('HMGET', REG, unpack(ARGV, FIELD + 1, FIELD + count))
-- Mostly there is nothing of all this.
local has_ahead, has_waiting, has_pauses, pauses = false, false, false, {}
if call('EXISTS', AHEAD, WAIT, PAUSE) > 0 then
  has_ahead, has_waiting = call('EXISTS', AHEAD) == 1, call('EXISTS', WAIT) == 1
  has_pauses = call('EXISTS', PAUSE) == 1
end
local function is_paused(field)
  if not has_pauses then return false end
  local task = task_of(field)
  if pauses[task] == nil then pauses[task] = call('HEXISTS', PAUSE, task) == 1 end
  return pauses[task]
end

-- Plain grants are written together, before anything else is read.
local regs, reg_count, lives, live_count, tasks, task_count = {}, 0, {}, 0, {}, 0
local function flush()
  if reg_count > 0 then call('HSET', REG, unpack(regs, 1, reg_count)) end
  if live_count > 0 then call('SADD', LIVE, unpack(lives, 1, live_count)) end
  if task_count > 0 then call('ZADD', TASKS, unpack(tasks, 1, task_count)) end
  reg_count, live_count, task_count = 0, 0, 0
end
