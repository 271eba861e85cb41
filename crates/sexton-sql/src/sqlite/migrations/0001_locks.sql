-- Registers, executions, tasks, instances. Times are whole milliseconds since the Unix epoch.

CREATE TABLE sexton_schema (
    version       INTEGER NOT NULL PRIMARY KEY,
    applied_at_ms INTEGER NOT NULL
) STRICT;

-- One row per (task, index) for ever: what decides who runs what. No watermark: nothing but
-- triggers was granted yet.
CREATE TABLE sexton_registers (
    namespace         TEXT    NOT NULL,
    task              TEXT    NOT NULL,
    concurrency_index INTEGER NOT NULL,
    watermark_ms      INTEGER,
    fence             INTEGER NOT NULL,
    PRIMARY KEY (namespace, task, concurrency_index)
) STRICT, WITHOUT ROWID;

-- The key begins with the tick, not the task: ticks rise, so a batch of claims writes to the few
-- pages at the end of the tree, whatever its tasks are called.
CREATE TABLE sexton_executions (
    namespace         TEXT    NOT NULL,
    tick_ms           INTEGER NOT NULL,
    task              TEXT    NOT NULL,
    concurrency_index INTEGER NOT NULL,
    concurrency       INTEGER NOT NULL,
    origin            TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    reason            TEXT,
    claim_id          BLOB,
    instance          TEXT,
    attempt           INTEGER,
    fence             INTEGER NOT NULL,
    delivery          TEXT    NOT NULL,
    attempts_max      INTEGER NOT NULL,
    overlap           TEXT    NOT NULL,
    lease_until_ms    INTEGER,
    deadline_ms       INTEGER,
    former_holders    TEXT,
    cancel_requested  INTEGER NOT NULL,
    granted_at_ms     INTEGER NOT NULL,
    started_at_ms     INTEGER,
    finished_at_ms    INTEGER,
    error             TEXT,
    output            TEXT,
    PRIMARY KEY (namespace, tick_ms, task, concurrency_index)
) STRICT, WITHOUT ROWID;

-- The history of one task.
CREATE INDEX sexton_executions_by_task ON sexton_executions (namespace, task, tick_ms);

-- What runs or waits: overlaps and sweeps read nothing else.
CREATE INDEX sexton_executions_open
    ON sexton_executions (namespace, task, concurrency_index, tick_ms)
    WHERE state IN ('waiting', 'running');

-- The three questions of every heartbeat, each answered from the few rows it is about.
CREATE INDEX sexton_executions_waiting
    ON sexton_executions (namespace, task, concurrency_index, tick_ms)
    WHERE state = 'waiting';
CREATE INDEX sexton_executions_leased
    ON sexton_executions (namespace, lease_until_ms)
    WHERE lease_until_ms IS NOT NULL;
CREATE INDEX sexton_executions_to_cancel
    ON sexton_executions (namespace, instance)
    WHERE cancel_requested = 1 AND state = 'running';

-- What instances and operators say of a task. A row may hold a definition, a pause, or both.
CREATE TABLE sexton_tasks (
    namespace       TEXT NOT NULL,
    task            TEXT NOT NULL,
    schedule        TEXT,
    canonical       TEXT,
    concurrency     INTEGER,
    definition      TEXT,
    defined_by      TEXT,
    pause_note      TEXT,
    paused_by       TEXT,
    paused_since_ms INTEGER,
    PRIMARY KEY (namespace, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE sexton_instances (
    namespace       TEXT    NOT NULL,
    instance        TEXT    NOT NULL,
    started_at_ms   INTEGER NOT NULL,
    version         TEXT    NOT NULL,
    clock_offset_ns INTEGER,
    running         INTEGER NOT NULL,
    presence_ms     INTEGER NOT NULL,
    seen_at_ms      INTEGER NOT NULL,
    incarnation     TEXT    NOT NULL,
    since_ms        INTEGER NOT NULL,
    PRIMARY KEY (namespace, instance)
) STRICT, WITHOUT ROWID;
