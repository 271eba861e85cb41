-- Records of executions, and the lists that they stand in.

-- A member is "<field>\t<tick>".
local function is_before_1970(member) return byte(member, -16) == 45 end
local function tick_of(member)
  return tick_number(sub(member, is_before_1970(member) and -16 or -15))
end
local function field_of(member) return sub(member, 1, is_before_1970(member) and -18 or -17) end

local NO_TAIL = '-\t-\t'
local RECORD = '^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)'
  .. '\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$'

local function read_record(text)
  local r = {}
  r.state, r.reason, r.claim, r.fence, r.attempt, r.lease, r.cancel, r.granted, r.delivery,
    r.overlap, r.concurrency, r.started, r.finished, r.instance, r.origin, r.deadline, r.former,
    r.tail = match(text, RECORD)
  return r
end

local function write_record(r)
  return table.concat({ r.state, r.reason, r.claim, r.fence, r.attempt, r.lease, r.cancel,
    r.granted, r.delivery, r.overlap, r.concurrency, r.started, r.finished, r.instance, r.origin,
    r.deadline, r.former, r.tail }, '\t')
end

local function blank_record(state, reason, concurrency)
  return { state = state, reason = reason, claim = '', fence = '0', attempt = '', lease = '',
    cancel = '0', granted = now_text, delivery = 'at most once', overlap = 'allow',
    concurrency = concurrency, started = '', finished = '', instance = '', origin = 'scheduled',
    deadline = '', former = '', tail = NO_TAIL }
end

-- Such a run as a record. Once a later one has taken its place in the register it stands in RUN, as
-- it stood there but for the watermark.
local function read_run(text)
  local fence, claim, granted, concurrency, at = unpack_from('>i8c32i8i4', text)
  local r = blank_record('running', '', int(concurrency))
  r.claim, r.fence, r.attempt, r.granted, r.instance = claim, int(fence), '1', int(granted),
    sub(text, at)
  return r
end
local function run_of_register(text) return read_run(sub(text, 9)) end

-- Writes a register. A run that stood in it moves to RUN.
local function write_register(field, was, mark, fence)
  if was and has_run(was) then
    local tick = read_register(was)
    call('HSET', RUN, field .. '\t' .. text_of_tick(tick), sub(was, 9))
    call('SREM', LIVE, field)
  end
  call('HSET', REG, field, pack(REGISTER, mark, fence))
end

-- The watermark may have passed all that was ahead of it.
local function pass_ahead(field, mark)
  local ahead = call('ZSCORE', AHEAD, field)
  if ahead and tonumber(ahead) <= mark then call('ZREM', AHEAD, field) end
end

-- Which of the lists a record stands in.
local function class_of(r)
  if r.state == 'running' then return r.lease == '' and 'bare' or 'leased' end
  return r.state == 'waiting' and 'waiting' or 'over'
end

local function unlist(member, class)
  if class == 'run' then call('HDEL', RUN, member)
  elseif class == 'live' then
    local field = field_of(member)
    call('HSET', REG, field, sub(call('HGET', REG, field), 1, 16))
    call('SREM', LIVE, field)
  elseif class == 'bare' then call('ZREM', BARE, member)
  elseif class == 'over' then call('ZREM', HIST, member)
  elseif class == 'waiting' then call('ZREM', WAIT, member)
  elseif class then
    call('ZREM', LANE, member)
    call('ZREM', WAKE, member)
  end
end

-- Writes a record and keeps the lists true. `was` is the class it had: nil for none before.
local function save(member, r, was)
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
    else call('ZADD', WAIT, 0, member) end
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
  text = call('HGET', REG, field_of(member))
  if text and has_run(text) and read_register(text) == tick_of(member) then
    return run_of_register(text), 'live'
  end
  text = call('HGET', RUN, member)
  if text then return read_run(text), 'run' end
end

-- Shows every run that stands in a register: its member, its record.
local function each_live(show)
  local fields = call('SMEMBERS', LIVE)
  for at = 1, #fields, 1000 do
    local last = math.min(at + 999, #fields)
    for i, text in ipairs(call('HMGET', REG, unpack(fields, at, last))) do
      local field = fields[at + i - 1]
      if text and has_run(text) then
        local tick = read_register(text)
        show(field .. '\t' .. text_of_tick(tick), run_of_register(text))
      end
    end
  end
end
