-- Registers, executions, tasks, instances. Times are whole milliseconds since the Unix epoch. Names
-- are ordered by their bytes (utf8mb4_bin), as the library orders them. Each table is made only if
-- it is missing: a statement that makes a table commits the transaction that it stands in, so that
-- an earlier attempt may have made some of them. Rows are dynamic whatever the server's default is,
-- since the keys are too long for others.

CREATE TABLE IF NOT EXISTS {versions} (
    version    BIGINT       NOT NULL PRIMARY KEY,
    applied_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- One row per (task, index) for ever: what decides who runs what. Its version rises whenever
-- anything of the (task, index) changes, here or in its executions; its writer is the id of the
-- write that raised it last. No watermark: nothing but triggers was granted yet; fence 0: nothing
-- at all.
CREATE TABLE IF NOT EXISTS {registers} (
    namespace         VARCHAR(100) NOT NULL,
    task              VARCHAR(200) NOT NULL,
    concurrency_index INT          NOT NULL,
    version           BIGINT       NOT NULL,
    watermark_ms      BIGINT,
    fence             BIGINT       NOT NULL,
    writer            BINARY(16)   NOT NULL,
    PRIMARY KEY (namespace, task, concurrency_index)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The key begins with the tick, not the task: ticks rise, so a batch of claims writes to the few
-- pages at the end of the tree, whatever its tasks are called. The phase is 0 when the execution
-- has ended, 1 while it runs, 2 while it waits, 3 while it runs and its cancel is requested.
CREATE TABLE IF NOT EXISTS {executions} (
    namespace         VARCHAR(100) NOT NULL,
    tick_ms           BIGINT       NOT NULL,
    task              VARCHAR(200) NOT NULL,
    concurrency_index INT          NOT NULL,
    concurrency       INT          NOT NULL,
    origin            VARCHAR(32)  NOT NULL,
    state             VARCHAR(32)  NOT NULL,
    phase             TINYINT      NOT NULL,
    reason            VARCHAR(32),
    claim_id          BINARY(16),
    instance          VARCHAR(100),
    attempt           BIGINT,
    fence             BIGINT       NOT NULL,
    delivery          VARCHAR(32)  NOT NULL,
    attempts_max      BIGINT       NOT NULL,
    overlap           VARCHAR(32)  NOT NULL,
    lease_until_ms    BIGINT,
    deadline_ms       BIGINT,
    former_holders    TEXT,
    cancel_requested  TINYINT      NOT NULL,
    granted_at_ms     BIGINT       NOT NULL,
    started_at_ms     BIGINT,
    finished_at_ms    BIGINT,
    error             TEXT,
    output            MEDIUMTEXT,
    PRIMARY KEY (namespace, tick_ms, task, concurrency_index),
    -- The history of one task.
    KEY {executions_by_task} (namespace, task, tick_ms),
    -- What runs or waits: overlaps and sweeps read nothing else.
    KEY {executions_open} (namespace, phase, task, concurrency_index, tick_ms),
    KEY {executions_leased} (namespace, lease_until_ms)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What instances and operators say of a task. A row may hold a definition, a pause, or both.
CREATE TABLE IF NOT EXISTS {tasks} (
    namespace         VARCHAR(100) NOT NULL,
    task              VARCHAR(200) NOT NULL,
    schedule          LONGTEXT,
    canonical         LONGTEXT,
    concurrency       INT,
    definition        LONGTEXT,
    defined_by        VARCHAR(100),
    known_since_ms    BIGINT,
    schedule_since_ms BIGINT,
    pause_note        LONGTEXT,
    paused_by         LONGTEXT,
    paused_since_ms   BIGINT,
    PRIMARY KEY (namespace, task)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {instances} (
    namespace       VARCHAR(100) NOT NULL,
    instance        VARCHAR(100) NOT NULL,
    started_at_ms   BIGINT       NOT NULL,
    version         LONGTEXT     NOT NULL,
    clock_offset_ns BIGINT,
    running         BIGINT       NOT NULL,
    presence_ms     BIGINT       NOT NULL,
    seen_at_ms      BIGINT       NOT NULL,
    incarnation     VARCHAR(32)  NOT NULL,
    since_ms        BIGINT       NOT NULL,
    PRIMARY KEY (namespace, instance)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
