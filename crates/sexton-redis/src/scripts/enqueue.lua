-- Makes executions wait for the next claim. Three arguments an execution: field, tick, concurrency.
-- Answers the clock, then for each "waiting" or "already".
local function enqueue(field, tick_text, concurrency)
  local member = field .. '\t' .. tick_text
  if fetch(member) then return 'already' end
  save(member, blank_record('waiting', '', concurrency))
  -- Claims look for a record only below the watermark, and here.
  local mark = read_register(call('HGET', REG, field))
  if tick_number(tick_text) > mark then call('SADD', AHEAD, member) end
  return 'waiting'
end

local answers = { now_text }
for at = 1, #ARGV, 3 do
  answers[#answers + 1] = enqueue(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
return answers
