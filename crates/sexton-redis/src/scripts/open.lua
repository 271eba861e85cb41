-- The members that a sweep is to look at: all that wait, leases that are over, and grants without
-- a lease that are older than the argument, in µs. Answers the clock and the members in no order.
local oldest = now - tonumber(ARGV[1])
local members = { now_text }
for _, member in ipairs(call('ZRANGE', WAIT, 0, -1)) do members[#members + 1] = member end
for _, member in ipairs(call('ZRANGEBYSCORE', WAKE, '-inf', now_text)) do
  members[#members + 1] = member
end
for _, member in ipairs(call('ZRANGEBYSCORE', BARE, '-inf', int(oldest))) do
  members[#members + 1] = member
end
local function add_if_old(member, r)
  if math.max(tonumber(r.granted), tick_of(member) * 1000) <= oldest then
    members[#members + 1] = member
  end
end
local light = call('HGETALL', RUN)
for at = 1, #light, 2 do add_if_old(light[at], read_run(light[at + 1])) end
each_live(add_if_old)
return members
