-- Looks at members and closes what is lost. ARGV: when a grant without a lease is abandoned in µs, the
-- members. Answers the clock, then two values for each: its concurrency, and the attempt that a grant
-- would be, "lost", or nothing.
local oldest = now - tonumber(ARGV[1])

local function is_lost(member, r)
  if r.state ~= 'running' then return false end
  if r.lease == '' then
    local since = math.max(tonumber(r.granted), tick_of(member) * 1000)
    return since <= oldest and not (r.instance ~= '' and is_present(r.instance))
  end
  local again = recovers(r) and r.cancel ~= '1' and tonumber(r.attempt) < attempts_max(r)
  return tonumber(r.lease) <= now and not again
end

local function because(r)
  local holder = r.instance == '' and 'its holder' or r.instance
  if r.lease == '' then return holder .. ' vanished without settling' end
  return holder .. ' stopped renewing its lease in attempt ' .. r.attempt .. ' of ' .. attempts_max(r)
end

local answers, lost = { now_text }, {}
for at = 2, #ARGV do
  local member = ARGV[at]
  local r, class = fetch(member)
  local attempt = r and claimable(member, r)
  local found = attempt and int(attempt) or r and is_lost(member, r) and 'lost' or ''
  if found == 'lost' then lost[#lost + 1] = { member, r, class } end
  answers[#answers + 1] = r and r.concurrency or ''
  answers[#answers + 1] = found
end
for _, one in ipairs(lost) do
  local member, r, class = one[1], one[2], one[3]
  local why = because(r)
  r.state, r.finished, r.lease = r.cancel == '1' and 'cancelled' or 'lost', now_text .. '000', ''
  r.tail = #why .. '\t-\t' .. why
  save(member, r, class)
end
-- What the watermark has passed by now is found without this.
for _, member in ipairs(call('SRANDMEMBER', AHEAD, 100)) do
  local mark = read_register(call('HGET', REG, field_of(member)))
  if tick_of(member) <= mark then call('SREM', AHEAD, member) end
end
return answers
