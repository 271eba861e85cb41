//! The history, and what is forgotten of it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sexton_core::lock::{
    Answer, Execution, ExecutionRecord, ExecutionState, HistoryQuery, LockError, LockManager,
    Retention, history_order,
};
use sexton_core::name::TaskName;

use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::batches::earliest;
use crate::connection::Call;
use crate::manager::RedisLockManager;
use crate::record_text::{execution, record};
use crate::scripts;

/// Records that one call looks at, so that none holds up the server for long.
const LOOKED_AT_MAX: usize = 1_000;

/// What a stretch of the history showed.
struct Stretch<T> {
    now: Timestamp,
    looked_at: usize,
    is_last: bool,
    found: Vec<T>,
}

impl RedisLockManager {
    pub(crate) async fn history_page(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        let is_open = |state: &ExecutionState| !state.is_over();
        let wants_open = query.states.is_empty() || query.states.iter().any(is_open);
        let wants_over = query.states.is_empty() || !query.states.iter().all(is_open);
        let mut answers = Vec::new();
        if wants_open {
            let call = Call::new("read the history", &scripts::HISTORY_OPEN);
            let read = |answers: &mut Answers| pairs(answers, read_record);
            let open = self.everywhere(call, &Arguments::default(), read).await?;
            let (now, mut value) = (open.now, open.value.concat());
            value.retain(|record| query.matches(record));
            answers.push(Answer { now, value });
        }
        if wants_over {
            let buckets = 0..self.connection.buckets.count();
            let over = buckets.map(|bucket| self.over(bucket, query));
            let over = futures::future::try_join_all(over).await?;
            // What ended between the two calls is in both; what it was last is what counts.
            let ended: HashSet<&Execution> = over
                .iter()
                .flat_map(|answer| &answer.value)
                .map(|record| &record.execution)
                .collect();
            for open in &mut answers {
                open.value
                    .retain(|record| !ended.contains(&record.execution));
            }
            answers.extend(over);
        }
        let Some(Answer { now, value }) = earliest(answers) else {
            let (now, value) = (self.now().await?, Vec::new());
            return Ok(Answer { now, value });
        };
        let mut value = value.concat();
        value
            .sort_unstable_by(|a, b| history_order(&a.execution).cmp(&history_order(&b.execution)));
        value.truncate(query.limit);
        Ok(Answer { now, value })
    }

    async fn over(
        &self,
        bucket: usize,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        let (mut found, mut passed) = (Vec::new(), 0);
        loop {
            let stretch = self
                .stretch(bucket, query, passed, Records::Wanted, read_record)
                .await?;
            passed += stretch.looked_at;
            found.extend(
                stretch
                    .found
                    .into_iter()
                    .filter(|record| query.matches(record)),
            );
            if stretch.is_last || found.len() >= query.limit {
                let now = stretch.now;
                return Ok(Answer { now, value: found });
            }
        }
    }

    async fn stretch<T>(
        &self,
        bucket: usize,
        query: &HistoryQuery,
        passed: usize,
        records: Records,
        read: impl Fn(&Answers, &str, &str) -> Result<T, LockError>,
    ) -> Result<Stretch<T>, LockError> {
        let behind = query
            .after
            .as_ref()
            .map(|after| after.tick.saturating_add_millis(1));
        let before = [query.until, behind].into_iter().flatten().min();
        let millis = |tick: Option<sexton_core::tick::Tick>| {
            tick.map_or_else(String::new, |tick| tick.as_millis().to_string())
        };
        let mut arguments = Arguments::default();
        arguments.text(millis(before));
        arguments.text(millis(query.since));
        arguments.add(passed);
        arguments.add(LOOKED_AT_MAX);
        arguments.add(query.limit.min(LOOKED_AT_MAX));
        arguments.text(query.task.as_ref().map_or("", TaskName::as_str));
        let states = query
            .states
            .iter()
            .map(|state| format!("{},", state.as_str()));
        arguments.text(format!(",{}", states.collect::<String>()));
        arguments.flag(records == Records::Wanted);
        let call = Call::new("read the history", &scripts::HISTORY_OVER);
        let read = |answers: &mut Answers| {
            let looked_at = usize::try_from(answers.number()?).unwrap_or(0);
            let is_last = answers.number()? != 0;
            Ok((looked_at, is_last, pairs(answers, read)?))
        };
        let answer = self.in_bucket(call, bucket, &arguments, read).await?;
        let (looked_at, is_last, found) = answer.value;
        Ok(Stretch {
            now: answer.now,
            looked_at,
            is_last: is_last || looked_at == 0,
            found,
        })
    }

    pub(crate) async fn forget_what_retention_does_not_keep(
        &self,
        retention: &Retention,
        limit: usize,
    ) -> Result<Answer<usize>, LockError> {
        let mut gone = 0;
        for bucket in 0..self.connection.buckets.count() {
            gone += self.forget_in(bucket, retention, limit - gone).await?;
            if gone >= limit {
                break;
            }
        }
        let now = self.now().await?;
        Ok(Answer { now, value: gone })
    }

    async fn forget_in(
        &self,
        bucket: usize,
        retention: &Retention,
        limit: usize,
    ) -> Result<usize, LockError> {
        let mut gone = 0;
        if let Some(age) = retention.age_max {
            let mut arguments = Arguments::default();
            arguments.micros(age);
            arguments.add(limit);
            let call = Call::new("prune", &scripts::FORGET_OLD);
            let answer = self.in_bucket(call, bucket, &arguments, count).await?;
            gone = answer.value.min(limit);
        }
        if let Some(max) = retention.per_task_max.filter(|_| gone < limit) {
            let too_many = self.too_many(bucket, max, limit - gone).await?;
            let call = Call::new("prune", &scripts::FORGET);
            gone += self.in_bucket(call, bucket, &too_many, count).await?.value;
        }
        Ok(gone)
    }

    /// What each task has more than `max` of, the newest counted first.
    async fn too_many(
        &self,
        bucket: usize,
        max: u32,
        limit: usize,
    ) -> Result<Arguments, LockError> {
        let everything = HistoryQuery {
            limit: usize::MAX,
            ..HistoryQuery::default()
        };
        let mut counts: HashMap<TaskName, u32> = HashMap::new();
        let (mut too_many, mut found, mut passed) = (Arguments::default(), 0, 0);
        loop {
            let member = |_: &Answers, member: &str, _: &str| Ok(member.to_owned());
            let stretch = self
                .stretch(bucket, &everything, passed, Records::LeftOut, member)
                .await?;
            passed += stretch.looked_at;
            for member in stretch.found {
                let Ok(one) = execution(&member) else {
                    continue;
                };
                let count = counts.entry(one.task).or_default();
                *count = count.saturating_add(1);
                if *count > max && found < limit {
                    too_many.text(member);
                    found += 1;
                }
            }
            if stretch.is_last || found == limit {
                return Ok(too_many);
            }
        }
    }
}

/// Whether records are read, or only which there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Records {
    Wanted,
    LeftOut,
}

fn count(answers: &mut Answers) -> Result<usize, LockError> {
    Ok(usize::try_from(answers.number()?).unwrap_or(0))
}

fn read_record(answers: &Answers, member: &str, text: &str) -> Result<ExecutionRecord, LockError> {
    record(member, text).map_err(|found| answers.strange(found.0))
}

/// All that is left, two values at a time.
fn pairs<T>(
    answers: &mut Answers,
    read: impl Fn(&Answers, &str, &str) -> Result<T, LockError>,
) -> Result<Vec<T>, LockError> {
    let mut found = Vec::new();
    while !answers.is_at_end() {
        let (member, text) = (answers.text()?, answers.text()?);
        found.push(read(answers, &member, &text)?);
    }
    Ok(found)
}
