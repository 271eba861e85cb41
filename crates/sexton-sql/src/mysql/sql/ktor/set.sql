-- Lets other ticks stand in rows that are locked. $1 rows as JSON.
UPDATE {list} AS w
STRAIGHT_JOIN {locks} AS l FORCE INDEX ({key}) ON {is_same}
SET l.locked_at = CAST('1970-01-01' AS DATETIME(6)) + INTERVAL (w.tick_ms DIV 1000) SECOND
    + INTERVAL (w.tick_ms MOD 1000 * 1000) MICROSECOND
