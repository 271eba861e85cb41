-- Everything that waits or runs. Answers the clock, then two values each: member and record.
local answers = { now_text }
local function add(members)
  for _, member in ipairs(members) do
    local r = fetch(member)
    if r then
      answers[#answers + 1] = member
      answers[#answers + 1] = write_record(r)
    end
  end
end
each_live(function(member, r)
  answers[#answers + 1] = member
  answers[#answers + 1] = write_record(r)
end)
add(call('HKEYS', RUN))
add(call('ZRANGE', BARE, 0, -1))
add(call('ZRANGE', WAKE, 0, -1))
add(call('ZRANGE', WAIT, 0, -1))
return answers
