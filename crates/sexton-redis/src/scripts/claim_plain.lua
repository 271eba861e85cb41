-- Grants what needs no more than a register, and has everything else decided.

local decide
local function decided(i, stretch)
  decide = decide or make_decide()
  return decide(i, stretch)
end

-- Without a lease and with nothing to look at but the register.
local function is_plain(stretch)
  return is_each_once and not has_pauses and not stretch.lease and not stretch.distinct
    and not stretch.needs_record and stretch.overlap == 'allow' and stretch.tick * 1000 <= horizon
end

-- Whether something of a (task, index) waits, or has a record above the watermark. Mostly nothing
-- does anywhere.
local is_eyed = (has_ahead or has_waiting) and function(field)
  if has_ahead and call('ZSCORE', AHEAD, field) then return true end
  return has_waiting and call('ZLEXCOUNT', WAIT, '[' .. field .. '\t', '(' .. field .. '\n') > 0
end

local answers, first = { now_text }, 1
for _, stretch in ipairs(stretches) do
  local last, tick = first + stretch.count - 1, stretch.tick
  if is_plain(stretch) then
    local rest = pack('>i8i4', now, tonumber(stretch.concurrency)) .. stretch.instance
    for i = first, last do
      local text, field = texts[i], ARGV[FIELD + i]
      local mark, fence, has_run = NO_MARK, 0, false
      if text then
        mark, fence = unpack_from(REGISTER, text)
        has_run = #text > 16
      end
      if is_eyed and is_eyed(field) then
        answers[i + 1] = decided(i, stretch)
      elseif tick > mark then
        if not text then
          tasks[task_count + 1], tasks[task_count + 2] = 0, field
          task_count = task_count + 2
        end
        fence = fence + 1
        if has_run then
          call('HSET', RUN, field .. '\t' .. text_of_tick(mark), sub(text, 9))
        else
          live_count = live_count + 1
          lives[live_count] = field
        end
        regs[reg_count + 1] = field
        regs[reg_count + 2] = pack(REGISTER, tick, fence) .. sub(ids, i * 32 - 31, i * 32) .. rest
        reg_count = reg_count + 2
        answers[i + 1] = fence
      elseif has_run and tick == mark and sub(text, 17, 48) ~= id_of(i) then
        answers[i + 1] = TAKEN
      else
        answers[i + 1] = decided(i, stretch)
      end
    end
  else
    for i = first, last do answers[i + 1] = decided(i, stretch) end
  end
  first = last + 1
end
flush()
return answers
