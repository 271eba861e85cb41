-- Makes executions wait for the next claim. Four arguments an execution: field, tick, concurrency, and
-- until when it may be granted in µs, or nothing.
-- Answers the clock, then for each "waiting", "already", or "full".

-- How many executions of a (task, index) may wait at once before one more is refused.
local WAITING_MAX = 100

local function enqueue(field, tick_text, concurrency, deadline)
  local member, tick = field .. '\t' .. tick_text, tick_number(tick_text)
  if fetch(member) then return 'already' end
  local waiting = call('ZLEXCOUNT', WAIT, '[' .. field .. '\t', '(' .. field .. '\n')
  if waiting >= WAITING_MAX then return 'full' end
  local r = blank_record('waiting', '', concurrency)
  r.origin, r.deadline = 'triggered', deadline
  save(member, r)
  -- Claims look for a record only up to the watermark, and above it where AHEAD says so.
  local ahead = call('ZSCORE', AHEAD, field)
  if tick > math.max(read_register(call('HGET', REG, field)), tonumber(ahead or NO_MARK)) then
    call('ZADD', AHEAD, int(tick), field)
  end
  return 'waiting'
end

local answers = { now_text }
for at = 1, #ARGV, 4 do
  answers[#answers + 1] = enqueue(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return answers
