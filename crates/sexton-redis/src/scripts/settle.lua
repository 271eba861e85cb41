-- Records how executions ended. ARGV: how many, and "1" if no (task, index) is there twice; the
-- fields; then seven values each: tick, claim id, fence, state, started at, finished at, tail.
-- Answers the clock, then for each "refused", or the tick that waited for this one and may be
-- claimed now, or nothing.
local count = tonumber(ARGV[1])
-- Where the fields and the rest stand, less one.
local FIELD, REST = 2, 2 + count

-- Mostly nothing is queued and nothing leased.
local has_lanes = call('EXISTS', LANE) == 1
