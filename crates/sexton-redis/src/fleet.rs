//! What instances and operators tell each other.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::stored::Defining;
use sexton_core::lock::{
    Answer, Claimable, Defined, Execution, InstanceRecord, InstanceReport, LockError, Pause,
    PauseChange, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState,
};
use sexton_core::name::{Incarnation, InstanceId, TaskName};
use sexton_core::tick::{Attempt, Concurrency};

use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::connection::Call;
use crate::error::unreadable;
use crate::manager::RedisLockManager;
use crate::parts::those_that_answered;
use crate::record_text::{execution, field_of, nanos_text, register};
use crate::scripts;

/// How many members of a kind a sweep asks a bucket for at once: no reply keeps the server busy for
/// long, however much waits.
const OPEN_PAGE_SIZE: u64 = 10_000;

/// A page of what a sweep is to look at, in no order.
struct Open {
    is_last: bool,
    found: Vec<Execution>,
}

fn open_arguments(abandoned_after: u128, page: u64) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.add(abandoned_after);
    arguments.add(page);
    arguments.add(OPEN_PAGE_SIZE);
    arguments
}

fn open(answers: &mut Answers) -> Result<Open, LockError> {
    let is_last = answers.number()? == 0;
    let mut found = Vec::new();
    while !answers.is_at_end() {
        let member = answers.text()?;
        found.push(execution(&member).map_err(|found| answers.strange(found.0))?);
    }
    Ok(Open { is_last, found })
}

impl RedisLockManager {
    pub(crate) async fn sweep_page(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let abandoned_after = query.abandoned_after.as_micros();
        let (mut now, mut members) = (Timestamp::UNIX_EPOCH, Vec::new());
        let mut page = Some(0);
        while let Some(number) = page {
            let arguments = open_arguments(abandoned_after, number);
            let call = Call::new("sweep", &scripts::OPEN);
            // Other parts of a cluster are looked at with the next sweep.
            let answer = self.wherever_it_can(call, &arguments, open).await?;
            now = answer.now;
            page = None;
            for Open { is_last, found } in answer.value {
                page = page.or((!is_last).then_some(number + 1));
                members.extend(found);
            }
        }
        members.retain(|member| query.after.as_ref().is_none_or(|after| member > after));
        members.sort_unstable();
        members.dedup();
        let (mut sweep, mut to_close) = (Sweep::default(), Vec::new());
        let mut members = members.as_slice();
        loop {
            // As many as may still be found: all that is found is told.
            let left = query.limit - sweep.claimable.len() - to_close.len();
            let (some, rest) = members.split_at(left.min(members.len()));
            members = rest;
            if some.is_empty() {
                break;
            }
            let found = self.sweep_some(some, abandoned_after, Closing::No).await?;
            now = found.now;
            sweep.claimable.extend(found.value.claimable);
            to_close.extend(found.value.missed);
            to_close.extend(found.value.lost);
        }
        // Only then, for what is closed decides about what else is too late. It is looked at again:
        // it may have changed since.
        if !to_close.is_empty() {
            let found = self.sweep_some(&to_close, abandoned_after, Closing::Yes);
            let found = found.await?;
            now = found.now;
            sweep.missed = found.value.missed;
            sweep.lost = found.value.lost;
        }
        Ok(Answer { now, value: sweep })
    }

    async fn sweep_some(
        &self,
        members: &[Execution],
        abandoned_after: u128,
        closing: Closing,
    ) -> Result<Answer<Sweep>, LockError> {
        let write = |members: &[&Execution], arguments: &mut Arguments| {
            arguments.add(abandoned_after);
            arguments.flag(closing == Closing::Yes);
            members.iter().for_each(|member| arguments.member(member));
        };
        let call = Call::new("sweep", &scripts::SWEEP);
        let Answer { now, value } = self.each(call, members, write, swept).await?;
        let mut sweep = Sweep::default();
        for found in value.into_iter().flatten() {
            match found {
                Swept::Claimable(claimable) => sweep.claimable.push(claimable),
                Swept::Lost(execution) => sweep.lost.push(execution),
                Swept::Missed(execution) => sweep.missed.push(execution),
                Swept::Neither => {}
            }
        }
        Ok(Answer { now, value: sweep })
    }

    pub(crate) async fn beat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        let call = Call::new("send a heartbeat", &scripts::HEARTBEAT);
        let read = |answers: &mut Answers| {
            let sweep = answers.number()? != 0;
            let holder = answers.text()?;
            let held_by = match holder.as_str() {
                "" => None,
                text => Some(read_instance(report.instance.as_str(), text, answers)?),
            };
            let mut cancel = Vec::new();
            while !answers.is_at_end() {
                let text = answers.text()?;
                cancel.push(execution(&text).map_err(|found| answers.strange(found.0))?);
            }
            Ok(Signals {
                cancel,
                sweep,
                held_by,
            })
        };
        // The first bucket decides who has the id; where it is away, each for itself.
        let asks = report_arguments(report, "ask");
        let mut answers = self.in_each(call, 0..1, &asks, read).await;
        let first = answers.pop();
        let has_it = match &first {
            Some(Ok(answer)) if answer.value.held_by.is_none() => "yes",
            Some(Ok(_)) => "no",
            _ => "ask",
        };
        let told = report_arguments(report, has_it);
        let others = 1..self.connection.buckets.count();
        let others = self.in_each(call, others, &told, read).await;
        let answers = those_that_answered(first.into_iter().chain(others).collect())?;
        let mut all = answers.into_iter();
        let Some(Answer { mut now, value }) = all.next() else {
            return Err(unreadable(&self.connection.location, "no bucket"));
        };
        let mut signals = value;
        for other in all {
            now = now.min(other.now);
            signals.sweep |= other.value.sweep;
            signals.cancel.extend(other.value.cancel);
            signals.held_by = signals.held_by.or(other.value.held_by);
        }
        signals.cancel.sort_unstable();
        Ok(Answer {
            now,
            value: signals,
        })
    }

    pub(crate) async fn leave_for_good(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        let mut arguments = Arguments::default();
        arguments.text(instance.as_str());
        arguments.add(incarnation);
        let call = Call::new("leave", &scripts::LEAVE);
        let answer = self.everywhere(call, &arguments, |_| Ok(())).await?;
        Ok(Answer {
            now: answer.now,
            value: (),
        })
    }

    pub(crate) async fn known_instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        let call = Call::new("list instances", &scripts::INSTANCES);
        let read = |answers: &mut Answers| {
            let mut instances = Vec::new();
            while !answers.is_at_end() {
                let (id, text) = (answers.text()?, answers.text()?);
                instances.push(read_instance(&id, &text, answers)?);
            }
            instances.sort_unstable_by(|a, b| a.report.instance.cmp(&b.report.instance));
            Ok(instances)
        };
        // Every bucket has heard of all of them.
        self.in_bucket(call, 0, &Arguments::default(), read).await
    }

    pub(crate) async fn define_batch(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        let write = |definitions: &[&TaskDefinition], arguments: &mut Arguments| {
            arguments.text(instance.as_str());
            for definition in definitions {
                arguments.text(definition.task.as_str());
                arguments.text(definition_text(definition));
            }
        };
        let read = |definition: &TaskDefinition, answers: &mut Answers| {
            Ok(match answers.text()?.as_str() {
                "new" => Defined::New,
                "same" => Defined::Same,
                other => {
                    let was = defining_of(&definition.task, other)
                        .ok_or_else(|| answers.strange(format!("{other:?} for a definition")))?;
                    let (was, by) = (was.definition, was.by);
                    Defined::Differed { was, by }
                }
            })
        };
        let call = Call::new("define tasks", &scripts::DEFINE);
        self.each(call, batch, write, read).await?.whole()
    }

    pub(crate) async fn known_tasks(
        &self,
        query: &TaskQuery,
    ) -> Result<Answer<Vec<TaskState>>, LockError> {
        let call = Call::new("list tasks", &scripts::TASKS);
        match query {
            TaskQuery::Named(names) => {
                let write = |names: &[&TaskName], arguments: &mut Arguments| {
                    arguments.text("named");
                    names.iter().for_each(|name| arguments.text(name.as_str()));
                };
                let read = |_: &TaskName, answers: &mut Answers| task_state(answers);
                self.each(call, names, write, read).await?.whole()
            }
            TaskQuery::Page { after, limit } => {
                let mut arguments = Arguments::default();
                arguments.text("page");
                arguments.text(after.as_ref().map_or("", |after| after.as_str()));
                arguments.add(limit);
                let read = |answers: &mut Answers| {
                    let mut tasks = Vec::new();
                    while !answers.is_at_end() {
                        tasks.push(task_state(answers)?);
                    }
                    Ok(tasks)
                };
                let Answer { now, value } = self.everywhere(call, &arguments, read).await?;
                let mut value: Vec<TaskState> = value.into_iter().flatten().collect();
                value.sort_unstable_by(|a, b| a.task.cmp(&b.task));
                value.truncate(*limit);
                Ok(Answer { now, value })
            }
        }
    }

    pub(crate) async fn change_pauses(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        let write = |tasks: &[&TaskName], arguments: &mut Arguments| {
            arguments.text(match change {
                PauseChange::Pause { note, by } => format!("{}\t{note}{by}", note.len()),
                PauseChange::Resume => String::new(),
            });
            tasks.iter().for_each(|task| arguments.text(task.as_str()));
        };
        let call = Call::new("change a pause", &scripts::CHANGE_PAUSE);
        if tasks.is_empty() {
            let mut arguments = Arguments::default();
            write(&[], &mut arguments);
            return self.in_bucket(call, 0, &arguments, |_| Ok(())).await;
        }
        let answer = self.each(call, tasks, write, |_, _| Ok(()));
        Ok(Answer {
            now: answer.await?.whole()?.now,
            value: (),
        })
    }
}

/// What a sweep found one execution to be.
enum Swept {
    Claimable(Claimable),
    Lost(Execution),
    Missed(Execution),
    Neither,
}

/// Whether a sweep closes what is lost or missed, or only finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    Yes,
    No,
}

fn swept(execution: &Execution, answers: &mut Answers) -> Result<Swept, LockError> {
    let (concurrency, found) = (answers.text()?, answers.text()?);
    let execution = execution.clone();
    match found.as_str() {
        "" => return Ok(Swept::Neither),
        "lost" => return Ok(Swept::Lost(execution)),
        "missed" => return Ok(Swept::Missed(execution)),
        _ => {}
    }
    let concurrency = concurrency
        .parse()
        .ok()
        .and_then(|count| Concurrency::new(count).ok());
    let attempt = found.parse().ok().and_then(Attempt::new);
    let (Some(concurrency), Some(attempt)) = (concurrency, attempt) else {
        return Err(answers.strange(format!("attempt {found:?} of {execution:?}")));
    };
    Ok(Swept::Claimable(Claimable {
        execution,
        concurrency,
        attempt,
    }))
}

/// The id, the presence, the incarnation, `STARTED OFFSET RUNNING VERSION` with tabs between, and
/// whether the instance has its id.
fn report_arguments(report: &InstanceReport, has_it: &str) -> Arguments {
    let offset = report
        .clock_offset
        .map(|offset| offset.as_nanos().to_string());
    let mut arguments = Arguments::default();
    arguments.text(report.instance.as_str());
    arguments.micros(report.presence);
    arguments.add(report.incarnation);
    arguments.add(format_args!(
        "{}\t{}\t{}\t{}",
        nanos_text(report.started_at),
        offset.unwrap_or_default(),
        report.running,
        report.version
    ));
    arguments.text(has_it);
    arguments
}

fn read_instance(id: &str, text: &str, answers: &Answers) -> Result<InstanceRecord, LockError> {
    instance_record(id, text)
        .ok_or_else(|| answers.strange(format!("{text:?} of the instance {id:?}")))
}

/// `SEEN PRESENCE SINCE INCARNATION STARTED OFFSET RUNNING VERSION`, with tabs between.
fn instance_record(id: &str, text: &str) -> Option<InstanceRecord> {
    let mut parts = text.splitn(8, '\t');
    let seen_at = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let presence = Duration::from_micros(parts.next()?.parse().ok()?);
    let since = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let incarnation = parts.next()?.parse().ok()?;
    let started_at = Timestamp::from_nanosecond(parts.next()?.parse().ok()?).ok()?;
    let clock_offset = match parts.next()? {
        "" => None,
        nanos => Some(SignedDuration::from_nanos(nanos.parse().ok()?)),
    };
    Some(InstanceRecord {
        report: InstanceReport {
            instance: InstanceId::new(id).ok()?,
            incarnation,
            started_at,
            running: parts.next()?.parse().ok()?,
            version: parts.next()?.to_owned(),
            clock_offset,
            presence,
        },
        seen_at,
        since,
    })
}

/// `CONCURRENCY LENGTH LENGTH CANONICAL…SCHEDULE…DEFINITION…`, with the lengths of the canonical
/// text and the schedule.
fn definition_text(definition: &TaskDefinition) -> String {
    let TaskDefinition {
        schedule,
        canonical,
        concurrency,
        definition,
        ..
    } = definition;
    format!(
        "{}\t{}\t{}\t{canonical}{schedule}{definition}",
        concurrency.get(),
        canonical.len(),
        schedule.len()
    )
}

/// `BY`, since when it is known, since when it has its schedule, and the rest as
/// [`definition_text`] wrote it, with tabs between.
fn defining_of(task: &TaskName, text: &str) -> Option<Defining> {
    let mut parts = text.splitn(7, '\t');
    let by = InstanceId::new(parts.next()?).ok()?;
    let known_since = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let schedule_since = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let concurrency = Concurrency::new(parts.next()?.parse().ok()?).ok()?;
    let canonical_length: usize = parts.next()?.parse().ok()?;
    let schedule_length: usize = parts.next()?.parse().ok()?;
    let (canonical, rest) = parts.next()?.split_at_checked(canonical_length)?;
    let (schedule, definition) = rest.split_at_checked(schedule_length)?;
    let definition = TaskDefinition {
        task: task.clone(),
        schedule: schedule.to_owned(),
        canonical: canonical.to_owned(),
        concurrency,
        definition: definition.to_owned(),
    };
    Some(Defining {
        definition,
        by,
        known_since: Some(known_since),
        schedule_since: Some(schedule_since),
    })
}

/// `SINCE LENGTH NOTE…BY…`
fn pause_of(text: &str) -> Option<Pause> {
    let mut parts = text.splitn(3, '\t');
    let since = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let length: usize = parts.next()?.parse().ok()?;
    let (note, by) = parts.next()?.split_at_checked(length)?;
    let (note, by) = (note.to_owned(), by.to_owned());
    Some(Pause { note, by, since })
}

fn task_state(answers: &mut Answers) -> Result<TaskState, LockError> {
    let name = answers.text()?;
    let strange =
        |answers: &Answers, text: &str| answers.strange(format!("{text:?} of the task {name:?}"));
    let task = TaskName::new(&name).map_err(|_| strange(answers, &name))?;
    let defining = match answers.text()?.as_str() {
        "" => None,
        text => Some(defining_of(&task, text).ok_or_else(|| strange(answers, text))?),
    };
    let known_since = defining.as_ref().and_then(|defining| defining.known_since);
    let schedule_since = defining
        .as_ref()
        .and_then(|defining| defining.schedule_since);
    let pause = match answers.text()?.as_str() {
        "" => None,
        text => Some(pause_of(text).ok_or_else(|| strange(answers, text))?),
    };
    let mut registers = Vec::new();
    for _ in 0..answers.number()? {
        let (field, text) = (answers.text()?, answers.text()?);
        let (_, index) = field_of(&field).map_err(|found| answers.strange(found.0))?;
        let register = register(&text).map_err(|found| answers.strange(found.0))?;
        registers.push((index, register));
    }
    Ok(TaskState {
        task,
        definition: defining.map(|defining| defining.definition),
        known_since,
        schedule_since,
        pause,
        registers,
    })
}
