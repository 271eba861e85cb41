-- $1 the namespace, $2 how many each task keeps, $3 how many.
DELETE e FROM {executions} AS e
JOIN (
    SELECT p.tick_ms, p.task, p.concurrency_index FROM (
        SELECT f.tick_ms, f.task, f.concurrency_index,
            ROW_NUMBER() OVER (PARTITION BY f.task ORDER BY f.tick_ms DESC, f.concurrency_index) AS place
        FROM {executions} AS f
        WHERE f.namespace = $1 AND f.phase = 0
            AND f.task IN (SELECT c.task FROM {executions} AS c WHERE c.namespace = $1 GROUP BY c.task HAVING COUNT(*) > $2)
    ) AS p WHERE p.place > $2 LIMIT $3
) AS gone ON e.tick_ms = gone.tick_ms AND e.task = gone.task AND e.concurrency_index = gone.concurrency_index
WHERE e.namespace = $1 AND e.phase = 0
