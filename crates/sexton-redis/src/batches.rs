//! A batch sent to the buckets that its tasks are in, and the answers put together.

use std::ops::Range;

use jiff::Timestamp;
use sexton_core::lock::{
    self, Answer, Claim, Consumption, Enqueue, Execution, LockError, LockManager, Release, Renewal,
    Settlement, TaskDefinition, check_batch_size,
};
use sexton_core::name::TaskName;

use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::connection::Call;
use crate::error::unreadable;
use crate::manager::RedisLockManager;
use crate::parts::those_that_answered;

/// An entry of a batch, which goes to the bucket of its task.
pub(crate) trait OfTask {
    fn task(&self) -> &TaskName;
}

macro_rules! of_task {
    ($($entry:ty => $($field:ident).*;)*) => {$(
        impl OfTask for $entry {
            fn task(&self) -> &TaskName {
                &self.$($field).*
            }
        }
    )*};
}

of_task! {
    Claim => execution.task;
    Consumption => execution.task;
    Enqueue => execution.task;
    Execution => task;
    Release => lock.execution.task;
    Renewal => lock.execution.task;
    Settlement => lock.execution.task;
    TaskDefinition => task;
}

impl OfTask for TaskName {
    fn task(&self) -> &TaskName {
        self
    }
}

/// The entries of a batch that one bucket has, and where in the batch they stood.
struct Part<'b, T> {
    bucket: usize,
    entries: Vec<&'b T>,
    places: Vec<usize>,
}

/// The answer whose clock is the earliest: nothing is then due sooner by it than by the clock of
/// any server.
pub(crate) fn earliest<T>(answers: impl IntoIterator<Item = Answer<T>>) -> Option<Answer<Vec<T>>> {
    let mut all: Option<Answer<Vec<T>>> = None;
    for Answer { now, value } in answers {
        match &mut all {
            Some(all) => {
                all.now = all.now.min(now);
                all.value.push(value);
            }
            None => {
                let value = vec![value];
                all = Some(Answer { now, value });
            }
        }
    }
    all
}

impl RedisLockManager {
    fn parts<'b, T: OfTask>(&self, batch: &'b [T]) -> Vec<Part<'b, T>> {
        let buckets = &self.connection.buckets;
        if buckets.count() == 1 {
            return vec![Part {
                bucket: 0,
                entries: batch.iter().collect(),
                places: (0..batch.len()).collect(),
            }];
        }
        let mut parts: Vec<Part<'b, T>> = Vec::new();
        for (place, entry) in batch.iter().enumerate() {
            let bucket = buckets.of(entry.task());
            let part = match parts.iter_mut().find(|part| part.bucket == bucket) {
                Some(part) => part,
                None => {
                    let (entries, places) = (Vec::new(), Vec::new());
                    parts.push(Part {
                        bucket,
                        entries,
                        places,
                    });
                    let Some(part) = parts.last_mut() else {
                        continue;
                    };
                    part
                }
            };
            part.entries.push(entry);
            part.places.push(place);
        }
        parts
    }

    /// An answer for each entry, in the batch's order: where a bucket is in trouble, its error. If
    /// no bucket has answered, the call has failed.
    pub(crate) async fn each<T: OfTask, R>(
        &self,
        call: Call,
        batch: &[T],
        write: impl Fn(&[&T], &mut Arguments),
        read: impl Fn(&T, &mut Answers) -> Result<R, LockError>,
    ) -> Result<lock::Answers<R>, LockError> {
        check_batch_size(batch.len())?;
        let parts = self.parts(batch);
        let arguments = |part: &Part<'_, T>| {
            let mut arguments = Arguments::default();
            write(&part.entries, &mut arguments);
            (part.bucket, arguments)
        };
        let arguments: Vec<(usize, Arguments)> = parts.iter().map(arguments).collect();
        if batch.is_empty() {
            let (now, value) = (self.now().await?, Vec::new());
            return Ok(Answer { now, value });
        }
        let answers = self.connection.run_each(call, &arguments).await;
        let mut results = Vec::with_capacity(batch.len());
        let (mut now, mut trouble) = (None::<Timestamp>, None);
        for (part, answers) in parts.iter().zip(answers) {
            let read_part = |answers: &mut Answers| {
                let entries = part.entries.iter();
                entries.map(|entry| read(entry, answers)).collect()
            };
            let answer = answers.and_then(|answers| answers.answer(read_part));
            match answer {
                Ok(Answer { now: at, value }) => {
                    let value: Vec<R> = value;
                    now = Some(now.map_or(at, |now| now.min(at)));
                    results.extend(part.places.iter().copied().zip(value.into_iter().map(Ok)));
                }
                Err(error) => {
                    let all = part.places.iter().map(|place| (*place, Err(error.clone())));
                    results.extend(all);
                    trouble = trouble.or(Some(error));
                }
            }
        }
        let now = match (now, trouble) {
            (Some(now), _) => now,
            (None, Some(error)) => return Err(error),
            (None, None) => self.now().await?,
        };
        if parts.len() > 1 {
            results.sort_unstable_by_key(|(place, _)| *place);
        }
        let value = results.into_iter().map(|(_, result)| result).collect();
        Ok(Answer { now, value })
    }

    /// What all buckets answer together.
    pub(crate) async fn everywhere<R>(
        &self,
        call: Call,
        arguments: &Arguments,
        read: impl Fn(&mut Answers) -> Result<R, LockError>,
    ) -> Result<Answer<Vec<R>>, LockError> {
        let answers = self.in_each(call, self.all(), arguments, read).await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.together(answers)
    }

    /// What those buckets answer together that have answered.
    ///
    /// # Errors
    /// If none has.
    pub(crate) async fn wherever_it_can<R>(
        &self,
        call: Call,
        arguments: &Arguments,
        read: impl Fn(&mut Answers) -> Result<R, LockError>,
    ) -> Result<Answer<Vec<R>>, LockError> {
        let answers = self.in_each(call, self.all(), arguments, read).await;
        self.together(those_that_answered(answers)?)
    }

    fn all(&self) -> Range<usize> {
        0..self.connection.buckets.count()
    }

    fn together<R>(&self, answers: Vec<Answer<R>>) -> Result<Answer<Vec<R>>, LockError> {
        earliest(answers).ok_or_else(|| unreadable(&self.location(), "no bucket"))
    }

    /// What each of these buckets answers.
    pub(crate) async fn in_each<R>(
        &self,
        call: Call,
        buckets: Range<usize>,
        arguments: &Arguments,
        read: impl Fn(&mut Answers) -> Result<R, LockError>,
    ) -> Vec<Result<Answer<R>, LockError>> {
        let answers = self.connection.run_in(call, buckets, arguments).await;
        let answers = answers.into_iter();
        answers
            .map(|answers| answers.and_then(|answers| answers.answer(&read)))
            .collect()
    }

    /// What one bucket answers.
    pub(crate) async fn in_bucket<R>(
        &self,
        call: Call,
        bucket: usize,
        arguments: &Arguments,
        read: impl FnOnce(&mut Answers) -> Result<R, LockError>,
    ) -> Result<Answer<R>, LockError> {
        self.connection
            .run(call, bucket, arguments)
            .await?
            .answer(read)
    }
}
