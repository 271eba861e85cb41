-- Registers, executions, tasks, instances. Times are whole milliseconds since the Unix epoch. Names
-- are ordered by their bytes (COLLATE "C"), as the library orders them.

CREATE TABLE {versions} (
    version    bigint      NOT NULL PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row per (task, index) for ever: what decides who runs what. Its version rises whenever
-- anything of the (task, index) changes, here or in its executions. No watermark: nothing but
-- triggers was granted yet; fence 0: nothing at all. Half of each page stays free, so that a new
-- version of a row finds room beside the old one and no index is touched.
CREATE TABLE {registers} (
    namespace         text    COLLATE "C" NOT NULL,
    task              text    COLLATE "C" NOT NULL,
    concurrency_index integer NOT NULL,
    version           bigint  NOT NULL,
    watermark_ms      bigint,
    fence             bigint  NOT NULL,
    PRIMARY KEY (namespace, task, concurrency_index)
) WITH (fillfactor = 50);

-- The key begins with the tick, not the task: ticks rise, so a batch of claims writes to the few
-- pages at the end of the tree, whatever its tasks are called.
CREATE TABLE {executions} (
    namespace         text    COLLATE "C" NOT NULL,
    tick_ms           bigint  NOT NULL,
    task              text    COLLATE "C" NOT NULL,
    concurrency_index integer NOT NULL,
    concurrency       integer NOT NULL,
    origin            text    COLLATE "C" NOT NULL,
    state             text    COLLATE "C" NOT NULL,
    reason            text    COLLATE "C",
    claim_id          uuid,
    instance          text    COLLATE "C",
    attempt           bigint,
    fence             bigint  NOT NULL,
    delivery          text    COLLATE "C" NOT NULL,
    attempts_max      bigint  NOT NULL,
    overlap           text    COLLATE "C" NOT NULL,
    lease_until_ms    bigint,
    deadline_ms       bigint,
    former_holders    text    COLLATE "C",
    cancel_requested  boolean NOT NULL,
    granted_at_ms     bigint  NOT NULL,
    started_at_ms     bigint,
    finished_at_ms    bigint,
    error             text,
    output            text,
    PRIMARY KEY (namespace, tick_ms, task, concurrency_index)
);

-- The history of one task.
CREATE INDEX {executions_by_task} ON {executions} (namespace, task, tick_ms);

-- What runs or waits: overlaps and sweeps read nothing else.
CREATE INDEX {executions_open} ON {executions} (namespace, task, concurrency_index, tick_ms)
    WHERE state IN ('waiting', 'running');

-- The three questions of every heartbeat, each answered from the few rows it is about.
CREATE INDEX {executions_waiting} ON {executions} (namespace, task, concurrency_index, tick_ms)
    WHERE state = 'waiting';
CREATE INDEX {executions_leased} ON {executions} (namespace, lease_until_ms)
    WHERE lease_until_ms IS NOT NULL;
CREATE INDEX {executions_to_cancel} ON {executions} (namespace, instance)
    WHERE cancel_requested AND state = 'running';

-- What instances and operators say of a task. A row may hold a definition, a pause, or both.
CREATE TABLE {tasks} (
    namespace         text    COLLATE "C" NOT NULL,
    task              text    COLLATE "C" NOT NULL,
    schedule          text,
    canonical         text,
    concurrency       integer,
    definition        text,
    defined_by        text    COLLATE "C",
    known_since_ms    bigint,
    schedule_since_ms bigint,
    pause_note        text,
    paused_by         text,
    paused_since_ms   bigint,
    PRIMARY KEY (namespace, task)
);

CREATE TABLE {instances} (
    namespace       text   COLLATE "C" NOT NULL,
    instance        text   COLLATE "C" NOT NULL,
    started_at_ms   bigint NOT NULL,
    version         text   NOT NULL,
    clock_offset_ns bigint,
    running         bigint NOT NULL,
    presence_ms     bigint NOT NULL,
    seen_at_ms      bigint NOT NULL,
    incarnation     text   COLLATE "C" NOT NULL,
    since_ms        bigint NOT NULL,
    PRIMARY KEY (namespace, instance)
) WITH (fillfactor = 50);
