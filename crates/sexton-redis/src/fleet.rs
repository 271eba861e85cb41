//! What instances and operators tell each other.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{
    Answer, Claimable, Defined, InstanceRecord, InstanceReport, LockError, Pause, PauseChange,
    Register, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, check_batch_size,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Attempt, Concurrency};

use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::manager::RedisLockManager;
use crate::record_text::{execution, field_of, member, nanos_text, register};
use crate::scripts;

/// Members of one call of a sweep: fewer than a script may unpack.
const SWEPT_MAX: usize = 5_000;

impl RedisLockManager {
    pub(crate) async fn sweep_page(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let abandoned_after = query.abandoned_after.as_micros();
        let mut arguments = Arguments::default();
        arguments.add(abandoned_after);
        let looking = self.connection.run("sweep", &scripts::OPEN, &arguments);
        let open = looking.await?.answer(|answers| {
            let mut open = Vec::new();
            while !answers.is_at_end() {
                open.push(answers.text()?);
            }
            Ok(open)
        })?;
        // Not in the script, whose `<` goes by the server's locale.
        let mut members = open.value;
        members.sort_unstable();
        let after = query.after.as_ref().map(member);
        members.retain(|member| after.as_ref().is_none_or(|after| member > after));
        let (mut sweep, mut now) = (Sweep::default(), open.now);
        for some in members.chunks(SWEPT_MAX) {
            let left = query.limit - sweep.claimable.len() - sweep.lost.len();
            if left == 0 {
                break;
            }
            let mut arguments = Arguments::default();
            arguments.add(left);
            arguments.add(abandoned_after);
            some.iter()
                .for_each(|member| arguments.text(member.as_str()));
            let sweeping = self.connection.run("sweep", &scripts::SWEEP, &arguments);
            let answer = sweeping
                .await?
                .answer(|answers| swept(answers, &mut sweep))?;
            now = answer.now;
        }
        Ok(Answer { now, value: sweep })
    }

    pub(crate) async fn beat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        let mut arguments = Arguments::default();
        arguments.text(report.instance.as_str());
        arguments.text(report_text(report));
        let beating = self
            .connection
            .run("send a heartbeat", &scripts::HEARTBEAT, &arguments);
        beating.await?.answer(|answers| {
            let revision = answers.number()?.unsigned_abs();
            let sweep = answers.number()? != 0;
            let mut cancel = Vec::new();
            while !answers.is_at_end() {
                let text = answers.text()?;
                cancel.push(execution(&text).map_err(|found| answers.strange(found.0))?);
            }
            cancel.sort_unstable();
            Ok(Signals {
                cancel,
                sweep,
                revision,
            })
        })
    }

    pub(crate) async fn leave_for_good(
        &self,
        instance: &InstanceId,
    ) -> Result<Answer<()>, LockError> {
        let mut arguments = Arguments::default();
        arguments.text(instance.as_str());
        let leaving = self.connection.run("leave", &scripts::LEAVE, &arguments);
        leaving.await?.answer(|_| Ok(()))
    }

    pub(crate) async fn known_instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        let none = Arguments::default();
        let asking = self
            .connection
            .run("list instances", &scripts::INSTANCES, &none);
        asking.await?.answer(|answers| {
            let mut instances = Vec::new();
            while !answers.is_at_end() {
                let (id, text) = (answers.text()?, answers.text()?);
                let record = instance_record(&id, &text);
                instances.push(
                    record.ok_or_else(|| {
                        answers.strange(format!("{text:?} of the instance {id:?}"))
                    })?,
                );
            }
            instances.sort_unstable_by(|a, b| a.report.instance.cmp(&b.report.instance));
            Ok(instances)
        })
    }

    pub(crate) async fn define_batch(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        check_batch_size(batch.len())?;
        let mut arguments = Arguments::default();
        arguments.text(instance.as_str());
        for definition in batch {
            arguments.text(definition.task.as_str());
            arguments.text(definition_text(definition));
        }
        let defining = self
            .connection
            .run("define tasks", &scripts::DEFINE, &arguments);
        let mut tasks = batch.iter().map(|definition| &definition.task);
        defining.await?.answer_each(batch.len(), |answers| {
            let text = answers.text()?;
            let task = tasks.next();
            Ok(match text.as_str() {
                "new" => Defined::New,
                "same" => Defined::Same,
                other => {
                    let read = task.and_then(|task| definition_of(task, other));
                    let (was, by) =
                        read.ok_or_else(|| answers.strange(format!("{other:?} for a definition")))?;
                    Defined::Differed { was, by }
                }
            })
        })
    }

    pub(crate) async fn known_tasks(
        &self,
        query: &TaskQuery,
    ) -> Result<Answer<Vec<TaskState>>, LockError> {
        let mut arguments = Arguments::default();
        match query {
            TaskQuery::Named(names) => {
                arguments.text("named");
                names.iter().for_each(|name| arguments.text(name.as_str()));
            }
            TaskQuery::Page { after, limit } => {
                arguments.text("page");
                arguments.text(after.as_ref().map_or("", |after| after.as_str()));
                arguments.add(limit);
            }
        }
        let asking = self
            .connection
            .run("list tasks", &scripts::TASKS, &arguments);
        asking.await?.answer(|answers| {
            let mut tasks = Vec::new();
            while !answers.is_at_end() {
                tasks.push(task_state(answers)?);
            }
            Ok(tasks)
        })
    }

    pub(crate) async fn change_pauses(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        check_batch_size(tasks.len())?;
        let mut arguments = Arguments::default();
        arguments.text(match change {
            PauseChange::Pause { note, by } => format!("{}\t{note}{by}", note.len()),
            PauseChange::Resume => String::new(),
        });
        tasks.iter().for_each(|task| arguments.text(task.as_str()));
        let changing = self
            .connection
            .run("change a pause", &scripts::CHANGE_PAUSE, &arguments);
        changing.await?.answer(|_| Ok(()))
    }
}

fn swept(answers: &mut Answers, sweep: &mut Sweep) -> Result<(), LockError> {
    while !answers.is_at_end() {
        let (member, concurrency, found) = (answers.text()?, answers.text()?, answers.text()?);
        let execution = execution(&member).map_err(|found| answers.strange(found.0))?;
        if found == "lost" {
            sweep.lost.push(execution);
            continue;
        }
        let concurrency = concurrency
            .parse()
            .ok()
            .and_then(|count| Concurrency::new(count).ok());
        let attempt = found.parse().ok().and_then(Attempt::new);
        let (Some(concurrency), Some(attempt)) = (concurrency, attempt) else {
            return Err(answers.strange(format!("attempt {found:?} of {member:?}")));
        };
        sweep.claimable.push(Claimable {
            execution,
            concurrency,
            attempt,
        });
    }
    Ok(())
}

/// `PRESENCE STARTED OFFSET RUNNING VERSION`, with tabs between; the script puts its clock in front.
fn report_text(report: &InstanceReport) -> String {
    let offset = report
        .clock_offset
        .map(|offset| offset.as_nanos().to_string());
    format!(
        "{}\t{}\t{}\t{}\t{}",
        report.presence.as_micros(),
        nanos_text(report.started_at),
        offset.unwrap_or_default(),
        report.running,
        report.version
    )
}

fn instance_record(id: &str, text: &str) -> Option<InstanceRecord> {
    let mut parts = text.splitn(6, '\t');
    let seen_at = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
    let presence = Duration::from_micros(parts.next()?.parse().ok()?);
    let started_at = Timestamp::from_nanosecond(parts.next()?.parse().ok()?).ok()?;
    let clock_offset = match parts.next()? {
        "" => None,
        nanos => Some(SignedDuration::from_nanos(nanos.parse().ok()?)),
    };
    Some(InstanceRecord {
        report: InstanceReport {
            instance: InstanceId::new(id).ok()?,
            started_at,
            running: parts.next()?.parse().ok()?,
            version: parts.next()?.to_owned(),
            clock_offset,
            presence,
        },
        seen_at,
    })
}

/// `CONCURRENCY LENGTH SCHEDULE…DEFINITION…`
fn definition_text(definition: &TaskDefinition) -> String {
    let TaskDefinition {
        schedule,
        concurrency,
        definition,
        ..
    } = definition;
    format!(
        "{}\t{}\t{schedule}{definition}",
        concurrency.get(),
        schedule.len()
    )
}

/// `BY`, a tab, and the rest as [`definition_text`] wrote it.
fn definition_of(task: &TaskName, text: &str) -> Option<(TaskDefinition, InstanceId)> {
    let mut parts = text.splitn(4, '\t');
    let by = InstanceId::new(parts.next()?).ok()?;
    let concurrency = Concurrency::new(parts.next()?.parse().ok()?).ok()?;
    let length: usize = parts.next()?.parse().ok()?;
    let (schedule, definition) = parts.next()?.split_at_checked(length)?;
    let definition = TaskDefinition {
        task: task.clone(),
        schedule: schedule.to_owned(),
        concurrency,
        definition: definition.to_owned(),
    };
    Some((definition, by))
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
    let definition = match answers.text()?.as_str() {
        "" => None,
        text => Some(
            definition_of(&task, text)
                .ok_or_else(|| strange(answers, text))?
                .0,
        ),
    };
    let pause = match answers.text()?.as_str() {
        "" => None,
        text => Some(pause_of(text).ok_or_else(|| strange(answers, text))?),
    };
    let mut registers = Vec::new();
    for _ in 0..answers.number()? {
        let (field, text) = (answers.text()?, answers.text()?);
        let (_, index) = field_of(&field).map_err(|found| answers.strange(found.0))?;
        let (watermark, fence) = register(&text).map_err(|found| answers.strange(found.0))?;
        registers.push((index, Register { watermark, fence }));
    }
    Ok(TaskState {
        task,
        definition,
        pause,
        registers,
    })
}
