-- An incarnation of an instance is gone for good. ARGV: the id, the incarnation. Answers the clock.
local kept = call('HGET', INST, ARGV[1])
if kept and match(kept, '^%-?%d+\t%d+\t%-?%d+\t(%x+)\t') == ARGV[2] then call('HDEL', INST, ARGV[1]) end
return { now_text }
