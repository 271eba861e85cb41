-- What every script begins with: the bucket's keys, the server's clock, and the way records are
-- written. The crate's documentation says what each key holds.
--
-- Never compare strings with < or > here: Lua does so by the server's locale, Redis by bytes.
local REG, REC, RUN, WAIT, LANE, WAKE, BARE, HIST, AHEAD, CANCEL, PAUSE, DEF, TASKS, INST, META =
  unpack(KEYS)
local call = redis.call
local sub, byte, format, match = string.sub, string.byte, string.format, string.match

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

-- A member is "<field>\t<tick>", a field "<task>\t<four digits of the index>".
local function is_before_1970(member) return byte(member, -16) == 45 end
local function tick_of(member)
  return tick_number(sub(member, is_before_1970(member) and -16 or -15))
end
local function field_of(member) return sub(member, 1, is_before_1970(member) and -18 or -17) end
local function task_of(field) return sub(field, 1, -6) end

-- A register is "<watermark> <fence>".
local function read_register(text)
  if not text then return -1e16, 0 end
  local digits = byte(text) == 45 and 16 or 15
  return tick_number(sub(text, 1, digits)), tonumber(sub(text, digits + 2))
end

local NO_TAIL = '-\t-\t'
local RECORD = '^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)'
  .. '\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$'

local function read_record(text)
  local r = {}
  r.state, r.reason, r.claim, r.fence, r.attempt, r.lease, r.cancel, r.granted, r.delivery,
    r.overlap, r.concurrency, r.started, r.finished, r.instance, r.tail = match(text, RECORD)
  return r
end

local function write_record(r)
  return table.concat({ r.state, r.reason, r.claim, r.fence, r.attempt, r.lease, r.cancel,
    r.granted, r.delivery, r.overlap, r.concurrency, r.started, r.finished, r.instance, r.tail },
    '\t')
end

local function blank_record(state, reason, concurrency)
  return { state = state, reason = reason, claim = '', fence = '0', attempt = '', lease = '',
    cancel = '0', granted = now_text, delivery = 'at_most_once', overlap = 'allow',
    concurrency = concurrency, started = '', finished = '', instance = '', tail = NO_TAIL }
end

-- A running grant without a lease that nobody has spoken of since is kept short in RUN:
-- 32 digits of the claim id, then fence, granted at, concurrency, instance.
local function read_run(text)
  local fence, granted, concurrency, instance =
    match(text, '^(%d+)\t(%d+)\t(%d+)\t(.*)$', 33)
  local r = blank_record('running', '', concurrency)
  r.claim, r.fence, r.attempt, r.granted, r.instance = sub(text, 1, 32), fence, '1', granted,
    instance
  return r
end

-- Which of the lists a record stands in.
local function class_of(r)
  if r.state == 'running' then return r.lease == '' and 'bare' or 'leased' end
  if r.state == 'waiting' then return r.reason == 'overlap' and 'queued' or 'waiting' end
  return 'over'
end

local touched = {}

local function unlist(member, class)
  if class == 'run' then call('HDEL', RUN, member)
  elseif class == 'bare' then call('ZREM', BARE, member)
  elseif class == 'over' then call('ZREM', HIST, member)
  elseif class then
    if class ~= 'leased' then call('ZREM', WAIT, member) end
    if class ~= 'waiting' then call('ZREM', LANE, member) end
    if class == 'leased' then call('ZREM', WAKE, member) end
  end
end

-- Writes a record and keeps the lists true. `was` is the class it had: nil for none before.
local function save(member, r, was)
  touched[member] = true
  call('HSET', REC, member, write_record(r))
  local class = class_of(r)
  if was ~= class then unlist(member, was) end
  if class == 'leased' then
    if was ~= class then call('ZADD', LANE, 0, member) end
    call('ZADD', WAKE, r.lease, member)
  elseif was ~= class then
    if class == 'bare' then
      call('ZADD', BARE, int(math.max(tonumber(r.granted), tick_of(member) * 1000)), member)
    elseif class == 'over' then call('ZADD', HIST, int(-tick_of(member)), member)
    else
      call('ZADD', WAIT, 0, member)
      if class == 'queued' then call('ZADD', LANE, 0, member) end
    end
  end
  if r.cancel == '1' then
    if r.state == 'running' then call('HSET', CANCEL, member, r.instance)
    else call('HDEL', CANCEL, member) end
  end
end

-- A member's record and its class, if it has any.
local function fetch(member)
  local text = call('HGET', REC, member)
  if text then
    local r = read_record(text)
    return r, class_of(r)
  end
  text = call('HGET', RUN, member)
  if text then return read_run(text), 'run' end
end
