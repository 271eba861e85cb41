//! Every statement there is, with the tables' names in it. All of them stand here and in the folder
//! `sql` beside this file.
//!
//! They are written with `$1` and so on for what is bound, as PostgreSQL has it; what MySQL is sent
//! has `?` in each place.

use std::sync::Arc;

use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql, query};

use crate::server::names::{Names, filled};

/// A statement's text, and which of what is bound stands in each of its places.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    text: Arc<str>,
    places: Vec<usize>,
}

/// Something that is bound.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound<'b> {
    Text(&'b str),
    MaybeText(Option<&'b str>),
    Bytes(&'b [u8]),
    Number(i64),
    MaybeNumber(Option<i64>),
}

impl Statement {
    fn new(names: &Names, template: &str) -> Statement {
        Statement::marked(&names.fill(&uncommented(template)))
    }

    /// A statement about a table that is not ours: with every `{word}` put in its place, those of
    /// `names` last, in which a `$` is a `$`.
    pub(super) fn filled(
        template: &str,
        pieces: &[(&str, &str)],
        names: &[(&str, &str)],
    ) -> Statement {
        let find = |known: &[(&str, &str)], word: &str| {
            let found = known.iter().find(|(name, _)| *name == word);
            found.map(|(_, text)| (*text).to_owned())
        };
        let later = |word: &str| Some(find(pieces, word).unwrap_or_else(|| format!("{{{word}}}")));
        let Statement { text, places } = Statement::marked(&filled(&uncommented(template), &later));
        Statement {
            text: filled(&text, &|word| find(names, word)).into(),
            places,
        }
    }

    fn marked(text: &str) -> Statement {
        let (text, places) = with_question_marks(text);
        Statement {
            text: text.into(),
            places,
        }
    }

    /// To be run. `bound` are `$1`, `$2` and so on.
    pub(super) fn query<'b>(&self, bound: &[Bound<'b>]) -> Query<'b, MySql, MySqlArguments> {
        // Safe: constants of this file, and names that are checked and quoted.
        let start = query(AssertSqlSafe(Arc::clone(&self.text)));
        let in_places = self.places.iter().filter_map(|place| bound.get(*place));
        in_places.fold(start, |query, bound| match *bound {
            Bound::Text(text) => query.bind(text),
            Bound::MaybeText(text) => query.bind(text),
            Bound::Bytes(bytes) => query.bind(bytes),
            Bound::Number(number) => query.bind(number),
            Bound::MaybeNumber(number) => query.bind(number),
        })
    }
}

fn uncommented(template: &str) -> String {
    let lines = template
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `$2` becomes `?`, and 1 (the second) is noted for it.
fn with_question_marks(text: &str) -> (String, Vec<usize>) {
    let mut pieces = text.split('$');
    let mut marked = pieces.next().unwrap_or_default().to_owned();
    let mut places = Vec::new();
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match piece[..digits].parse::<usize>() {
            Ok(number) if number > 0 => {
                marked.push('?');
                places.push(number - 1);
                marked.push_str(&piece[digits..]);
            }
            _ => {
                marked.push('$');
                marked.push_str(piece);
            }
        }
    }
    (marked, places)
}

/// What of the executions a sweep looks at.
const OPEN: &str = "e.phase IN (1, 2, 3) AND CASE \
    WHEN e.state = 'waiting' THEN NOT EXISTS (SELECT 1 FROM {tasks} AS t \
        WHERE t.namespace = $1 AND t.task = e.task AND t.paused_since_ms IS NOT NULL) \
    WHEN e.lease_until_ms IS NOT NULL THEN e.lease_until_ms <= {clock_ms} \
    ELSE GREATEST(e.granted_at_ms, e.tick_ms) <= {clock_ms} - $6 \
        AND NOT EXISTS (SELECT 1 FROM {instances} AS i WHERE i.namespace = $1 \
            AND i.instance = e.instance AND i.since_ms <= e.granted_at_ms \
            AND i.seen_at_ms + i.presence_ms > {clock_ms}) END";
const WAITING: &str = "e.phase = 2 AND NOT EXISTS (SELECT 1 FROM {tasks} AS t \
    WHERE t.namespace = $1 AND t.task = e.task AND t.paused_since_ms IS NOT NULL)";
const LEASE_OVER: &str = "e.lease_until_ms <= {clock_ms} AND e.phase IN (1, 3) \
    AND NOT EXISTS (SELECT 1 FROM {tasks} AS t \
        WHERE t.namespace = $1 AND t.task = e.task AND t.paused_since_ms IS NOT NULL)";

/// $1 the namespace, $2 the instance or null.
const INSTANCES: &str = "\
    SELECT instance, started_at_ms, version, clock_offset_ns, running, presence_ms, seen_at_ms, \
        incarnation, since_ms FROM {instances} WHERE namespace = $1 AND ";

/// The columns of a list of records that plain ones are not given. Some hold long texts: a list
/// without them is read in memory.
const OTHER_COLUMNS: &str = ", \
    origin VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.origin', \
    deadline_ms BIGINT PATH '$.deadline_ms', \
    error MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.error', \
    output MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.output', \
    former_holders TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.former_holders'";

/// All of them.
#[derive(Debug)]
pub struct Sql {
    /// The clock, in milliseconds.
    pub(super) clock: Statement,
    pub(super) load: Statement,
    pub(super) lock_registers: Statement,
    pub(super) store_registers: Statement,
    pub(super) written: Statement,
    pub(super) store_records: Statement,
    pub(super) store_records_plain: Statement,
    pub(super) sweep_open: Statement,
    pub(super) sweep_waiting: Statement,
    pub(super) sweep_lease_over: Statement,
    pub(super) history_of_all: Statement,
    pub(super) history_of_a_task: Statement,
    pub(super) history_of_what_is_open: Statement,
    pub(super) prune_old: Statement,
    pub(super) prune_too_many: Statement,
    pub(super) report: Statement,
    pub(super) signals: Statement,
    pub(super) forget_gone: Statement,
    pub(super) leave: Statement,
    pub(super) instances: Statement,
    pub(super) instance: Statement,
    pub(super) lock_tasks: Statement,
    pub(super) store_definitions: Statement,
    pub(super) pause: Statement,
    pub(super) raise_versions: Statement,
    pub(super) task_names: Statement,
    pub(super) task_states: Statement,
    pub(super) task_registers: Statement,
}

impl Sql {
    pub(super) fn new(names: &Names) -> Sql {
        let new = |template: &str| Statement::new(names, template);
        let sweep =
            |candidate: &str| new(&include_str!("sql/sweep.sql").replace("{candidate}", candidate));
        let history = |index: &str, only: &str| {
            let template = include_str!("sql/history.sql")
                .replace("{index_of_history}", index)
                .replace("{only}", &only.replace("{alias}", "e"))
                .replace("{only_f}", &only.replace("{alias}", "f"));
            new(&template)
        };
        let instances = |only: &str| new(&[INSTANCES, only, " ORDER BY instance"].concat());
        let records = |others: &str, columns: &str| {
            let template = include_str!("sql/store_records.sql")
                .replace("{others_of_list}", others)
                .replace("{other_columns_of_list}", columns);
            new(&template)
        };
        Sql {
            clock: new("SELECT {clock_ms}"),
            load: new(include_str!("sql/load.sql")),
            lock_registers: new(include_str!("sql/lock_registers.sql")),
            store_registers: new(include_str!("sql/store_registers.sql")),
            written: new(include_str!("sql/written.sql")),
            store_records: records(
                "COALESCE(w.origin, 'scheduled'), w.deadline_ms, w.error, w.output, w.former_holders",
                OTHER_COLUMNS,
            ),
            store_records_plain: records("'scheduled', NULL, NULL, NULL, NULL", ""),
            sweep_open: sweep(OPEN),
            sweep_waiting: sweep(WAITING),
            sweep_lease_over: sweep(LEASE_OVER),
            history_of_all: history("PRIMARY", "$9 IS NULL"),
            history_of_a_task: history("{executions_by_task}", "{alias}.task = $9"),
            // What runs or waits is little, wherever it lies.
            history_of_what_is_open: history(
                "{executions_open}",
                "{alias}.phase IN (1, 2, 3) AND ($9 IS NULL OR {alias}.task = $9)",
            ),
            // $1 the namespace, $2 the tick from which on records are kept, $3 how many
            prune_old: new("DELETE FROM {executions} \
                WHERE namespace = $1 AND tick_ms < $2 AND phase = 0 ORDER BY tick_ms LIMIT $3"),
            prune_too_many: new(include_str!("sql/prune_too_many.sql")),
            report: new(include_str!("sql/report.sql")),
            signals: new(include_str!("sql/signals.sql")),
            // $1 the namespace, $2 the instance that reports, $3 how long one that stopped is still
            // listed, in ms
            forget_gone: new(
                "DELETE FROM {instances} WHERE namespace = $1 AND instance <> $2 \
                AND seen_at_ms + presence_ms < {clock_ms} - $3",
            ),
            leave: new("DELETE FROM {instances} \
                WHERE namespace = $1 AND instance = $2 AND incarnation = $3"),
            instances: instances("$2 IS NULL"),
            instance: instances("instance = $2"),
            lock_tasks: new(include_str!("sql/lock_tasks.sql")),
            store_definitions: new(include_str!("sql/store_definitions.sql")),
            pause: new(include_str!("sql/pause.sql")),
            raise_versions: new(include_str!("sql/raise_versions.sql")),
            // $1 the namespace, $2 by how much
            task_names: new(include_str!("sql/task_names.sql")),
            task_states: new(include_str!("sql/task_states.sql")),
            task_registers: new(include_str!("sql/task_registers.sql")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_comes_to_stand_in_every_place_that_names_it() {
        let (text, places) = with_question_marks("SELECT '$[*]', $2 + $10, $2, '$.a', '$");
        assert_eq!(text, "SELECT '$[*]', ? + ?, ?, '$.a', '$");
        assert_eq!(places, [1, 9, 1]);
    }
}
