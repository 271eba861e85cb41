-- How an instance defines its tasks. ARGV: its id, then two values a task: name, definition. Answers the
-- clock, then for each "new", "same", or what DEF had: who defined it otherwise, since when it is known, since
-- when it has its schedule, and how.
local by = ARGV[1]
-- Its concurrency and its schedule's canonical text.
local function parts_of(how)
  local concurrency, length, at = match(how, '^(%d+)\t(%d+)\t%d+\t()')
  return tonumber(concurrency), sub(how, at, at + tonumber(length) - 1)
end
local answers = { now_text }
for at = 2, #ARGV, 2 do
  local task, text = ARGV[at], ARGV[at + 1]
  local was = call('HGET', DEF, task)
  local since, schedule_since, how
  if was then
    since, schedule_since, how = match(was, '^[^\t]*\t([^\t]*)\t([^\t]*)\t(.*)$')
    local concurrency, canonical = parts_of(text)
    local concurrency_was, canonical_was = parts_of(how)
    -- Indices that are new have no ticks before now.
    if concurrency > concurrency_was then since = nil end
    if canonical ~= canonical_was then schedule_since = nil end
  end
  call('HSET', DEF, task, table.concat({ by, since or now_text, schedule_since or now_text, text }, '\t'))
  if not was then
    call('ZADD', TASKS, 0, task .. '\t')
    answers[#answers + 1] = 'new'
  elseif how == text then
    answers[#answers + 1] = 'same'
  else
    answers[#answers + 1] = was
  end
end
return answers
