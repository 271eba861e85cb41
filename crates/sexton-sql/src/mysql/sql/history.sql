-- $1 the namespace, $2 since, $3 until, $4 states with commas between them, or null, $5 to $7 the last of the page before (null: none),
-- $8 the page's size, $9 the task, $10 the page's size less one.
-- The tick of the page's last record is found first, by the index alone: only what is not older is put in order.
SELECT {record} FROM {executions} AS e FORCE INDEX ({index_of_history})
WHERE e.namespace = $1 AND e.tick_ms >= $2 AND e.tick_ms < $3 AND {only}
    AND ($4 IS NULL OR FIND_IN_SET(e.state, $4))
    AND ($5 IS NULL OR e.tick_ms < $5 OR e.task > $6 OR (e.task = $6 AND e.concurrency_index > $7))
    AND e.tick_ms >= COALESCE((
        SELECT f.tick_ms FROM {executions} AS f FORCE INDEX ({index_of_history})
        WHERE f.namespace = $1 AND f.tick_ms >= $2 AND f.tick_ms < $3 AND {only_f}
            AND ($4 IS NULL OR FIND_IN_SET(f.state, $4))
            AND ($5 IS NULL OR f.tick_ms < $5 OR f.task > $6 OR (f.task = $6 AND f.concurrency_index > $7))
        ORDER BY f.tick_ms DESC LIMIT 1 OFFSET $10
    ), $2)
ORDER BY e.tick_ms DESC, e.task, e.concurrency_index LIMIT $8
