-- Records how executions ended. ARGV: how many, and "1" if no (task, index) is there twice; the
-- fields; then seven values each: tick, claim id, fence, state, started at, finished at, tail.
-- Answers the clock, then for each "refused", or the tick that waits and may be claimed now that this
-- one has ended, or nothing.
local count = tonumber(ARGV[1])
-- Where the fields and the rest stand, less one.
local FIELD, REST = 2, 2 + count
