-- What an instance should know: a row with the clock, how many instances are long gone and who has its id, then one for each of its
-- executions that is to be cancelled. $1 the namespace, $2 the instance, $3 how long an instance that stopped reporting is still
-- listed, in ms.
SELECT {clock_ms},
    (SELECT COUNT(*) FROM {instances} AS i
        WHERE i.namespace = $1 AND i.instance <> $2 AND i.seen_at_ms + i.presence_ms < {clock_ms} - $3),
    (SELECT h.incarnation FROM {instances} AS h WHERE h.namespace = $1 AND h.instance = $2), NULL, NULL
UNION ALL
SELECT NULL, NULL, e.task, e.concurrency_index, e.tick_ms
FROM {executions} AS e FORCE INDEX ({executions_open})
WHERE e.namespace = $1 AND e.phase = 3 AND e.instance = $2
