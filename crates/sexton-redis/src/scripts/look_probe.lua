-- Calls every command that reading calls. Answers a line for each that does not work.
local hash, sorted, set = unpack(KEYS)
local broken = {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  if type(answer) == 'table' and answer.err then
    broken[#broken + 1] = name .. ' (' .. answer.err .. ')'
  end
end
if not struct then broken[#broken + 1] = "Lua's library struct" end
try('TIME')
try('HGET', hash, 'a')
try('HMGET', hash, 'a')
try('HGETALL', hash)
try('HKEYS', hash)
try('ZCOUNT', sorted, 0, 1)
try('ZRANGE', sorted, 0, 0)
try('ZRANGEBYLEX', sorted, '-', '+')
try('SMEMBERS', set)
return broken
