-- Makes rows that are missing. $1 rows as JSON.
INSERT IGNORE INTO {locks} (_name, concurrency_index, locked_at)
SELECT w.task, w.concurrency_index, NULL FROM {list} AS w ORDER BY w.place
