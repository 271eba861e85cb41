//! Every statement there is, with the tables' names in it. All of them stand here and in the folder
//! `sql` beside this file.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, query};

use crate::server::names::Names;

/// A statement's text. Only [`Names::fill`] makes one, from a constant.
#[derive(Debug, Clone)]
pub(crate) struct Statement(Arc<str>);

impl Statement {
    fn new(names: &Names, template: &str) -> Statement {
        Statement(names.fill(template).into())
    }

    /// To be bound and run.
    pub(crate) fn query(&self) -> Query<'static, Postgres, PgArguments> {
        // Safe: constants of this file, and names that are checked and quoted.
        query(AssertSqlSafe(Arc::clone(&self.0)))
    }
}

/// What of the executions a sweep looks at.
const OPEN: &str = "e.state IN ('waiting', 'running') AND CASE \
    WHEN e.state = 'waiting' THEN NOT EXISTS (SELECT 1 FROM {tasks} AS t \
        WHERE t.namespace = $1 AND t.task = e.task AND t.paused_since_ms IS NOT NULL) \
    WHEN e.lease_until_ms IS NOT NULL THEN e.lease_until_ms <= (SELECT now_ms FROM clock) \
    ELSE greatest(e.granted_at_ms, e.tick_ms) <= (SELECT now_ms FROM clock) - $6 \
        AND NOT EXISTS (SELECT 1 FROM {instances} AS i WHERE i.namespace = $1 \
            AND i.instance = e.instance AND i.since_ms <= e.granted_at_ms \
            AND i.seen_at_ms + i.presence_ms > (SELECT now_ms FROM clock)) END";
const WAITING: &str = "e.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM {tasks} AS t \
    WHERE t.namespace = $1 AND t.task = e.task AND t.paused_since_ms IS NOT NULL)";
const LEASE_OVER: &str = "e.lease_until_ms IS NOT NULL \
    AND e.lease_until_ms <= (SELECT now_ms FROM clock) AND e.state = 'running' \
    AND NOT EXISTS (SELECT 1 FROM {tasks} AS t \
        WHERE t.namespace = $1 AND t.task = e.task AND t.paused_since_ms IS NOT NULL)";

/// The columns that plain records are not given, as literals and as lists.
const OF_PLAIN: &str = ", NULL::text, NULL::text, 'scheduled'::text, NULL::bigint, NULL::text";
const OF_OTHERS: &str = ", (SELECT $26::text[]), (SELECT $27::text[]), (SELECT $28::text[]), \
    (SELECT $29::bigint[]), (SELECT $30::text[])";

/// $1 the namespace, $2 since, $3 until, $4 \[state] or null, $5 to $7 the last of the page before
/// (null: none), $8 the page's size, $9 the task.
const HISTORY: &str = "\
    SELECT {record} FROM {executions} AS e \
    WHERE e.namespace = $1 AND e.tick_ms >= $2 AND e.tick_ms < $3 \
        AND ($4::text[] IS NULL OR e.state = ANY ($4)) \
        AND ($5::bigint IS NULL OR e.tick_ms < $5 OR e.task > $6 \
            OR (e.task = $6 AND e.concurrency_index > $7)) AND ";
const HISTORY_ORDER: &str = " ORDER BY e.tick_ms DESC, e.task, e.concurrency_index LIMIT $8";

/// $1 the namespace, $2 the instance or null.
const INSTANCES: &str = "\
    SELECT instance, started_at_ms, version, clock_offset_ns, running, presence_ms, seen_at_ms, \
        incarnation, since_ms FROM {instances} WHERE namespace = $1 AND ";

/// All of them.
#[derive(Debug)]
pub struct Sql {
    /// The clock, in milliseconds.
    pub(crate) clock: Statement,
    pub(crate) load: Statement,
    pub(crate) swap: Statement,
    /// The same for records that are plain.
    pub(crate) swap_plain: Statement,
    pub(crate) sweep_open: Statement,
    pub(crate) sweep_waiting: Statement,
    pub(crate) sweep_lease_over: Statement,
    pub(crate) history_of_all: Statement,
    pub(crate) history_of_a_task: Statement,
    pub(crate) history_of_what_is_open: Statement,
    pub(crate) prune_old: Statement,
    pub(crate) prune_too_many: Statement,
    pub(crate) report: Statement,
    pub(crate) leave: Statement,
    pub(crate) instances: Statement,
    pub(crate) instance: Statement,
    pub(crate) patience: Statement,
    pub(crate) lock_tasks: Statement,
    pub(crate) store_definitions: Statement,
    pub(crate) pause: Statement,
    pub(crate) raise_versions: Statement,
    pub(crate) task_names: Statement,
    pub(crate) task_states: Statement,
    pub(crate) task_registers: Statement,
    pub(crate) notify: Statement,
    /// The channel on which clients of these tables notify each other.
    pub(crate) channel: String,
}

impl Sql {
    pub(crate) fn new(names: &Names) -> Sql {
        let new = |template: &str| Statement::new(names, template);
        let sweep = |candidate: &str| {
            let template = include_str!("sql/sweep.sql").replace("{candidate}", candidate);
            Statement::new(names, &template)
        };
        let swap = |of_plain: &str, of_others: &str| {
            let template = include_str!("sql/swap.sql")
                .replace("{columns_of_plain}", of_plain)
                .replace("{lists_of_others}", of_others);
            new(&template)
        };
        let instances = |only: &str| new(&[INSTANCES, only, " ORDER BY instance"].concat());
        let history = |only: &str| new(&[HISTORY, only, HISTORY_ORDER].concat());
        Sql {
            clock: new("SELECT {clock_ms}"),
            load: new(include_str!("sql/load.sql")),
            swap: swap("", OF_OTHERS),
            swap_plain: swap(OF_PLAIN, ""),
            sweep_open: sweep(OPEN),
            sweep_waiting: sweep(WAITING),
            sweep_lease_over: sweep(LEASE_OVER),
            history_of_all: history("$9::text IS NULL"),
            history_of_a_task: history("e.task = $9"),
            // What runs or waits is little, wherever it lies.
            history_of_what_is_open: history(
                "e.state IN ('waiting', 'running') AND ($9::text IS NULL OR e.task = $9)",
            ),
            prune_old: new(include_str!("sql/prune_old.sql")),
            prune_too_many: new(include_str!("sql/prune_too_many.sql")),
            report: new(include_str!("sql/report.sql")),
            leave: new("DELETE FROM {instances} \
                WHERE namespace = $1 AND instance = $2 AND incarnation = $3"),
            instances: instances("$2::text IS NULL"),
            instance: instances("instance = $2"),
            // For the few transactions of more than one statement: $1 how long to wait for a row,
            // $2 how long a client that went silent, or takes no answers, may keep what it has, in
            // ms.
            patience: new("SELECT set_config('lock_timeout', $1, true), \
                set_config('tcp_user_timeout', $2, true), \
                set_config('idle_in_transaction_session_timeout', $2, true)"),
            lock_tasks: new(include_str!("sql/lock_tasks.sql")),
            // $1 the namespace, $2 tasks, $3 schedules, $4 concurrencies, $5 definitions, $6 by
            // whom, $7 known since, $8 canonical texts, $9 since when they have those
            store_definitions: new("UPDATE {tasks} AS t SET schedule = w.schedule, \
                    concurrency = w.concurrency, definition = w.definition, defined_by = w.defined_by, \
                    known_since_ms = w.known_since_ms, canonical = w.canonical, \
                    schedule_since_ms = w.schedule_since_ms \
                FROM unnest($2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[]) \
                    AS w (task, schedule, concurrency, definition, defined_by, known_since_ms, canonical, schedule_since_ms) \
                WHERE t.namespace = $1 AND t.task = w.task"),
            // $1 the namespace, $2 tasks, $3 the note, $4 by whom, $5 since; three nulls to resume
            pause: new(
                "UPDATE {tasks} SET pause_note = $3, paused_by = $4, paused_since_ms = $5 \
                WHERE namespace = $1 AND task = ANY ($2::text[])",
            ),
            raise_versions: new(include_str!("sql/raise_versions.sql")),
            task_names: new(include_str!("sql/task_names.sql")),
            // $1 the namespace, $2 tasks
            task_states: new(
                "SELECT task, schedule, concurrency, definition, canonical, pause_note, paused_by, \
                    paused_since_ms, known_since_ms, schedule_since_ms FROM {tasks} WHERE namespace = $1 AND task = ANY ($2::text[])",
            ),
            // $1 the namespace, $2 tasks
            task_registers: new(
                "SELECT task, concurrency_index, watermark_ms, fence FROM {registers} \
                WHERE namespace = $1 AND task = ANY ($2::text[]) AND (watermark_ms IS NOT NULL OR fence > 0) \
                ORDER BY task, concurrency_index",
            ),
            // $1 the channel, $2 the namespace
            notify: new("SELECT pg_notify($1, $2)"),
            channel: format!("sexton_{:016x}", names.lock_key()),
        }
    }
}
