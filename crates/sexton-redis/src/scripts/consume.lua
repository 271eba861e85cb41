-- Accounts for ticks that will not be run. Nine arguments a tick: field, tick, state, reason,
-- concurrency, instance, the first tick that it covers, whether it is covered, tail. Answers the clock, then two values for each: "recorded"
-- and where the watermark was before, or "already" and where it is; empty if nowhere.
local function consume(at)
  local field, tick_text = ARGV[at], ARGV[at + 1]
  local member = field .. '\t' .. tick_text
  local text = call('HGET', REG, field)
  local mark, fence = read_register(text)
  local mark_text = mark == NO_MARK and '' or int(mark)
  local is_above = tick_number(tick_text) > mark
  local covers_passed = ARGV[at + 6] ~= '' and tick_number(ARGV[at + 6]) <= mark
  if covers_passed or not (is_above or ARGV[at + 7] == '1') or fetch(member) then return 'already', mark_text end
  if is_above then
    write_register(field, text, tick_number(tick_text), fence)
    pass_ahead(field, tick_number(tick_text))
    if not text then call('ZADD', TASKS, 0, field) end
  end
  local r = blank_record(ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  r.instance, r.finished, r.tail = ARGV[at + 5], now_text .. '000', ARGV[at + 8]
  save(member, r)
  return 'recorded', mark_text
end

local answers = { now_text }
for at = 1, #ARGV, 9 do
  answers[#answers + 1], answers[#answers + 2] = consume(at)
end
return answers
