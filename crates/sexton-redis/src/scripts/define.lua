-- How an instance defines its tasks. ARGV: its id, then two values a task: name, definition. Answers the
-- clock, then for each "new", "same", or the id of who defined it otherwise, a tab, and how.
local by = ARGV[1]
local answers, differed = { now_text }, 0
for at = 2, #ARGV, 2 do
  local task, text = ARGV[at], ARGV[at + 1]
  local was = call('HGET', DEF, task)
  call('HSET', DEF, task, by .. '\t' .. text)
  if not was then
    call('ZADD', TASKS, 0, task .. '\t')
    answers[#answers + 1] = 'new'
  elseif match(was, '^[^\t]*\t(.*)$') == text then
    answers[#answers + 1] = 'same'
  else
    answers[#answers + 1], differed = was, differed + 1
  end
end
if differed > 0 then call('HINCRBY', META, 'revision', differed) end
return answers
