-- What is known of tasks. ARGV: "named" and names, or "page", the name behind which it begins, and how many.
-- Answers the clock, then for each task: name, definition, pause, the number of its registers, and two values a
-- register: field and text. What is not known is empty.
local answers = { now_text }
local function add(value) answers[#answers + 1] = value end

local function tell(task)
  local fields = call('ZRANGEBYLEX', TASKS, '[' .. task .. '\t0', '(' .. task .. '\n')
  add(task)
  add(call('HGET', DEF, task) or '')
  add(call('HGET', PAUSE, task) or '')
  add(int(#fields))
  if #fields > 0 then
    for i, text in ipairs(call('HMGET', REG, unpack(fields))) do
      local mark, fence = read_register(text)
      add(fields[i])
      add((mark == NO_MARK and '' or text_of_tick(mark)) .. ' ' .. int(fence))
    end
  end
end

if ARGV[1] == 'named' then
  for i = 2, #ARGV do tell(ARGV[i]) end
else
  local start = ARGV[2] == '' and '-' or '(' .. ARGV[2] .. '\n'
  for _ = 1, tonumber(ARGV[3]) do
    local found = call('ZRANGEBYLEX', TASKS, start, '+', 'LIMIT', 0, 1)[1]
    if not found then break end
    local task = match(found, '^([^\t]*)\t')
    tell(task)
    start = '(' .. task .. '\n'
  end
end
return answers
