-- A stretch of what is over, the newest tick first. ARGV: the tick before which it begins ("" for the newest), the first tick
-- of all ("" for the oldest), how many to pass over, how many to look at, how many to answer, the task ("" for all), a
-- comma and the states with a comma behind each ("," for all), and whether records are wanted. Answers the clock, how many
-- were looked at, whether that was the end, then two values each: member and record.
local first = ARGV[1] == '' and 0 or call('ZCOUNT', HIST, '-inf', int(-tonumber(ARGV[1])))
local since = ARGV[2] == '' and nil or tonumber(ARGV[2])
local start, looks, wanted = first + tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local prefix, states = ARGV[6] .. '\t', ARGV[7]
local members = call('ZRANGE', HIST, start, start + looks - 1)
local answers = { now_text, '0', #members < looks and '1' or '0' }
local looked = 0
for _, member in ipairs(members) do
  if (#answers - 3) / 2 >= wanted then
    answers[3] = '0'
    break
  end
  if since and tick_of(member) < since then
    answers[3] = '1'
    break
  end
  looked = looked + 1
  if prefix == '\t' or sub(member, 1, #prefix) == prefix then
    local text = ''
    if ARGV[8] == '1' or states ~= ',' then text = call('HGET', REC, member) or '' end
    if states == ',' or string.find(states, ',' .. match(text, '^[^\t]*') .. ',', 1, true) then
      answers[#answers + 1] = member
      answers[#answers + 1] = ARGV[8] == '1' and text or ''
    end
  end
end
answers[2] = int(looked)
return answers
