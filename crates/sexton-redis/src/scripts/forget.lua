-- Drops records that are over. ARGV: the members. Answers the clock and how many went.
local gone = 0
for _, member in ipairs(ARGV) do
  if call('ZREM', HIST, member) == 1 then
    call('HDEL', REC, member)
    gone = gone + 1
  end
end
return { now_text, int(gone) }
