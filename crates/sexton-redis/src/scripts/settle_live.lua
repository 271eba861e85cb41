local settle
local function settled(i, at)
  settle = settle or make_settle()
  return settle(i, at)
end

-- Runs that stand in their register are written together.
local regs, recs, hists, lives, live_count = {}, {}, {}, {}, 0
-- Those of a batch mostly have this in common.
local granted, granted_text
local function settle_live(i, at, text)
  local tick_text, fence_text = ARGV[at], ARGV[at + 2]
  local tick, fence, claim, granted_at, concurrency, rest = unpack_from('>i8i8c32i8i4', text)
  if claim ~= ARGV[at + 1] or fence ~= tonumber(fence_text) or tick ~= tick_number(tick_text) then
    return settled(i, at)
  end
  if granted ~= granted_at then granted, granted_text = granted_at, int(granted_at) end
  local field, n = ARGV[FIELD + i], live_count * 2
  local member = field .. '\t' .. tick_text
  live_count = live_count + 1
  lives[live_count] = field
  regs[n + 1], regs[n + 2] = field, sub(text, 1, 16)
  hists[n + 1], hists[n + 2] = tick < 0 and int(-tick) or '-' .. tick_text, member
  recs[n + 1] = member
  recs[n + 2] = ARGV[at + 3] .. '\t\t' .. claim .. '\t' .. fence_text .. '\t1\t\t0\t' .. granted_text
    .. '\tat most once\tallow\t' .. concurrency .. '\t' .. ARGV[at + 4] .. '\t' .. ARGV[at + 5] .. '\t'
    .. sub(text, rest) .. '\tscheduled\t\t\t' .. ARGV[at + 6]
  return ''
end

local answers = { now_text }
local texts = {}
if count > 0 and ARGV[2] == '1' then
  texts = call('HMGET', REG, unpack(ARGV, FIELD + 1, FIELD + count))
end
for i = 1, count do
  local at, text = REST + (i - 1) * 7 + 1, texts[i]
  if text and has_run(text) then answers[i + 1] = settle_live(i, at, text)
  else answers[i + 1] = settled(i, at) end
end
if live_count > 0 then
  call('HSET', REG, unpack(regs))
  call('HSET', REC, unpack(recs))
  call('ZADD', HIST, unpack(hists))
  call('SREM', LIVE, unpack(lives))
end
return answers
