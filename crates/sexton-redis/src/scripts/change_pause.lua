-- Pauses or resumes tasks. ARGV: what a pause says without the clock, or "" to resume; the tasks. Answers the clock.
for i = 2, #ARGV do
  local task = ARGV[i]
  if ARGV[1] == '' then
    call('HDEL', PAUSE, task)
    if call('HEXISTS', DEF, task) == 0 then call('ZREM', TASKS, task .. '\t') end
  else
    call('HSET', PAUSE, task, now_text .. '\t' .. ARGV[1])
    call('ZADD', TASKS, 0, task .. '\t')
  end
end
return { now_text }
