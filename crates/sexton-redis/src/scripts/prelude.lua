-- What every script begins with: the bucket's keys, the server's clock, and the way records are
-- written. The crate's documentation says what each key holds.
--
-- Never compare strings with < or > here: Lua does so by the server's locale, Redis by bytes.
local REG, LIVE, REC, RUN, WAIT, LANE, WAKE, BARE, HIST, AHEAD, CANCEL, PAUSE, DEF, TASKS, INST, META =
  unpack(KEYS)
local call = redis.call
local sub, byte, format, match = string.sub, string.byte, string.format, string.match
local pack, unpack_from = struct.pack, struct.unpack

-- The last argument is the clock where a test holds it still, and empty everywhere else.
local given = ARGV[#ARGV]
ARGV[#ARGV] = nil
local now
if given == '' then
  local clock = call('TIME')
  now = clock[1] * 1000000 + clock[2]
else
  now = tonumber(given)
end
local function int(n) return format('%.0f', n) end
local now_text = int(now)

-- A tick in a member or register is 15 digits of milliseconds, or, before 1970, a minus sign and
-- the 15 digits of its distance from -10^15: text in the order of time.
local function tick_number(text)
  local n = tonumber(text)
  if byte(text) == 45 then return -n - 1e15 end
  return n
end
local function text_of_tick(n)
  if n < 0 then return format('-%015.0f', n + 1e15) end
  return format('%015.0f', n)
end

-- The field of a (task, index) is "<task>\t<four digits of the index>".
local function task_of(field) return sub(field, 1, -6) end

-- A register is the watermark and the fence, 8 bytes each, with the highest first. While the
-- latest grant runs without a lease and nobody has spoken of it since, the rest of it stands behind:
-- 32 digits of the claim id, then 8 bytes of when it was granted, 4 of the concurrency, and the
-- instance. LIVE names the (task, index) of such registers.
local REGISTER = '>i8i8'
-- The watermark where there is none: nothing was granted there but what was triggered.
local NO_MARK = -1e16
local function read_register(text)
  if not text then return NO_MARK, 0 end
  local mark, fence = unpack_from(REGISTER, text)
  return mark, fence
end
local function has_run(text) return #text > 16 end
