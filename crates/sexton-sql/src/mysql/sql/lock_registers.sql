-- The versions of registers that nobody else holds, which are held from now on until the end of the transaction.
-- $1 the namespace, $2 registers as JSON. Nobody waits for a row here while holding others: one client that stands still in
-- the middle of a transaction would make all others wait in one row after the other. MySQL wants to be told which of the two
-- is held; MariaDB does not know how, and takes that for a comment.
SELECT r.task, r.concurrency_index, r.version
FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list})) AS w
STRAIGHT_JOIN {registers} AS r FORCE INDEX (PRIMARY)
    ON r.namespace = $1 AND r.task = w.task AND r.concurrency_index = w.concurrency_index
FOR UPDATE /*!80000 OF r */ SKIP LOCKED
