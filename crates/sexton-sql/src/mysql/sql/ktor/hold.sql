-- Locks rows in order. Answers those that are there, what stands in them, and whether nothing can be written. $1 rows as JSON,
-- a table within a table: MySQL locks nothing beside a JSON_TABLE (error 3569).
SELECT w.place, l._name, TIMESTAMPDIFF(MICROSECOND, CAST('1970-01-01' AS DATETIME(6)), l.locked_at),
    IF(CAST(@@GLOBAL.read_only AS CHAR) IN ('0', 'OFF'), 0, 1)
FROM (SELECT * FROM {list} AS j) AS w
STRAIGHT_JOIN {locks} AS l FORCE INDEX ({key}) ON {is_same}
FOR UPDATE
