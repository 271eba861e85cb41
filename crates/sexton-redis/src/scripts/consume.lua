-- Accounts for ticks that will not be run. Six arguments a tick: field, tick, state, reason,
-- concurrency, instance. Answers the clock, then for each "already", or where the watermark was before, if
-- anywhere.
local function consume(at)
  local field, tick_text = ARGV[at], ARGV[at + 1]
  local member = field .. '\t' .. tick_text
  local text = call('HGET', REG, field)
  local mark, fence = read_register(text)
  if tick_number(tick_text) <= mark or fetch(member) then return 'already' end
  write_register(field, text, tick_number(tick_text), fence)
  pass_ahead(field, tick_number(tick_text))
  if not text then call('ZADD', TASKS, 0, field) end
  local r = blank_record(ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  r.instance, r.finished = ARGV[at + 5], now_text .. '000'
  save(member, r)
  return mark == NO_MARK and '' or int(mark)
end

local answers = { now_text }
for at = 1, #ARGV, 6 do answers[#answers + 1] = consume(at) end
return answers
