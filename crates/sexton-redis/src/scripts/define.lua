-- How an instance defines its tasks. ARGV: its id, then two values a task: name, definition. Answers the
-- clock, then for each "new", "same", or what DEF had: who defined it otherwise, since
-- when it is known, and how.
local by = ARGV[1]
local function concurrency_of(how) return tonumber(match(how, '^(%d+)\t')) end
local answers, differed = { now_text }, 0
for at = 2, #ARGV, 2 do
  local task, text = ARGV[at], ARGV[at + 1]
  local was = call('HGET', DEF, task)
  local since, how
  if was then
    since, how = match(was, '^[^\t]*\t([^\t]*)\t(.*)$')
    -- Indices that are new have no ticks before now.
    if concurrency_of(text) > concurrency_of(how) then since = nil end
  end
  call('HSET', DEF, task, by .. '\t' .. (since or now_text) .. '\t' .. text)
  if not was then
    call('ZADD', TASKS, 0, task .. '\t')
    answers[#answers + 1] = 'new'
  elseif how == text then
    answers[#answers + 1] = 'same'
  else
    answers[#answers + 1], differed = was, differed + 1
  end
end
if differed > 0 then call('HINCRBY', META, 'revision', differed) end
return answers
