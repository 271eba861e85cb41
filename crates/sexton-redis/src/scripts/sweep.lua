-- Looks at members, and closes what is lost or missed. ARGV: when a grant without a lease is abandoned in
-- µs, "1" to close and "0" to look only, the members. Answers the clock, then two values for each: its
-- concurrency, and the attempt that a grant would be, "missed", "lost", or nothing.
local oldest = now - tonumber(ARGV[1])

-- Whether the incarnation is present that was granted it.
local function is_present(r)
  local text = r.instance ~= '' and call('HGET', INST, r.instance)
  if not text then return false end
  local seen, presence, since = match(text, '^(%-?%d+)\t(%d+)\t(%-?%d+)\t')
  return tonumber(seen) + tonumber(presence) > now and tonumber(since) <= tonumber(r.granted)
end

local function is_lost(member, r)
  if r.state ~= 'running' then return false end
  if r.lease == '' then
    local since = math.max(tonumber(r.granted), tick_of(member) * 1000)
    return since <= oldest and not is_present(r)
  end
  local again = recovers(r) and r.cancel ~= '1' and tonumber(r.attempt) < attempts_max(r)
  return tonumber(r.lease) <= now and not again
end

local function because(r)
  local holder = r.instance == '' and 'its holder' or r.instance
  if r.lease == '' then return holder .. ' vanished without settling' end
  return holder .. ' stopped renewing its lease in attempt ' .. r.attempt .. ' of ' .. attempts_max(r)
end

local function close_as_lost(member, r, class)
  if r.lease ~= '' then extend_deadlines(member, tonumber(r.lease)) end
  local why = because(r)
  r.state, r.finished, r.lease = r.cancel == '1' and 'cancelled' or 'lost', now_text .. '000', ''
  r.tail = #why .. '\t-\t' .. why
  save(member, r, class)
end

local answers, missed, lost = { now_text }, {}, {}
for at = 3, #ARGV do
  local member = ARGV[at]
  local r, class = fetch(member)
  local found = r and (claimable_or_missed(member, r) or is_lost(member, r) and 'lost')
  if found == 'missed' then missed[#missed + 1] = { member, r, class } end
  if found == 'lost' then lost[#lost + 1] = { member, r, class } end
  answers[#answers + 1] = r and r.concurrency or ''
  answers[#answers + 1] = tostring(found or '')
end
-- The missed ones first: what is too late has no more time from the end of what is lost.
if ARGV[2] == '1' then
  for _, one in ipairs(missed) do close_as_missed(unpack(one)) end
  for _, one in ipairs(lost) do close_as_lost(unpack(one)) end
end
return answers
