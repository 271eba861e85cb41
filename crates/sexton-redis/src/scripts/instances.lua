-- Answers the clock, then two values an instance: its id, and what it said of itself.
local answers = call('HGETALL', INST)
table.insert(answers, 1, now_text)
return answers
