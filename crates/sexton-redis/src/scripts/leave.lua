-- An instance is gone for good. ARGV: its id. Answers the clock.
call('HDEL', INST, ARGV[1])
return { now_text }
