-- Calls every command that the scripts call, on keys of its own that are gone at the end. Answers a
-- line for each that does not work.
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
try('EXISTS', hash)
try('HSET', hash, 'a', '1')
try('HSETNX', hash, 'a', '1')
try('HGET', hash, 'a')
try('HMGET', hash, 'a')
try('HGETALL', hash)
try('HKEYS', hash)
try('HEXISTS', hash, 'a')
try('HINCRBY', hash, 'a', 1)
try('HDEL', hash, 'a')
try('ZADD', sorted, 1, 'a')
try('ZSCORE', sorted, 'a')
try('ZCOUNT', sorted, 0, 1)
try('ZLEXCOUNT', sorted, '-', '+')
try('ZRANGE', sorted, 0, 0)
try('ZRANGEBYLEX', sorted, '-', '+')
try('ZRANGEBYSCORE', sorted, 0, 1)
try('ZREVRANGEBYSCORE', sorted, 1, 0)
try('ZREM', sorted, 'a')
try('SADD', set, 'a')
try('SMEMBERS', set)
try('SREM', set, 'a')
return broken
