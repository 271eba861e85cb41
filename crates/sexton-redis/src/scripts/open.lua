-- A page of the members that a sweep is to look at: all that wait, leases that are over, and grants
-- without a lease that are older than an age. ARGV: that age in µs, the number of the page, how many
-- of each kind a page has at most. Answers the clock, "1" if there may be more pages or "0", and the
-- members in no order. What changes between two pages may be missing or be there twice.
local oldest, size = now - tonumber(ARGV[1]), tonumber(ARGV[3])
local first = tonumber(ARGV[2]) * size
local members = { now_text, '0' }

local function add_all(page)
  for _, member in ipairs(page) do members[#members + 1] = member end
  if #page == size then members[2] = '1' end
end

add_all(call('ZRANGE', WAIT, first, first + size - 1))
add_all(call('ZRANGEBYSCORE', WAKE, '-inf', now_text, 'LIMIT', first, size))
add_all(call('ZRANGEBYSCORE', BARE, '-inf', int(oldest), 'LIMIT', first, size))
if first > 0 then return members end

-- What runs is never so much.
local function add_if_old(member, r)
  if math.max(tonumber(r.granted), tick_of(member) * 1000) <= oldest then
    members[#members + 1] = member
  end
end
local light = call('HGETALL', RUN)
for at = 1, #light, 2 do add_if_old(light[at], read_run(light[at + 1])) end
each_live(add_if_old)
return members
