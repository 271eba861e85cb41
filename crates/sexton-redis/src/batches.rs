//! A batch sent to the buckets that its tasks are in, and the answers put together.

use sexton_core::lock::{
    Answer, Claim, Consumption, Enqueue, Execution, LockError, LockManager, Release, Renewal,
    Settlement, TaskDefinition, check_batch_size,
};
use sexton_core::name::TaskName;

use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::connection::Call;
use crate::manager::RedisLockManager;

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

    /// An answer for each entry, in the batch's order.
    pub(crate) async fn each<T: OfTask, R>(
        &self,
        call: Call,
        batch: &[T],
        write: impl Fn(&[&T], &mut Arguments),
        read: impl Fn(&T, &mut Answers) -> Result<R, LockError>,
    ) -> Result<Answer<Vec<R>>, LockError> {
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
        let answers = self.connection.run_each(call, &arguments).await?;
        let mut results: Vec<(usize, R)> = Vec::with_capacity(batch.len());
        let mut now = None;
        for (part, answers) in parts.iter().zip(answers) {
            let answer = answers.answer(|answers| {
                for (entry, place) in part.entries.iter().zip(&part.places) {
                    results.push((*place, read(entry, answers)?));
                }
                Ok(())
            })?;
            now = Some(now.map_or(answer.now, |now| answer.now.min(now)));
        }
        if parts.len() > 1 {
            results.sort_unstable_by_key(|(place, _)| *place);
        }
        let now = match now {
            Some(now) => now,
            None => self.now().await?,
        };
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
        let answers = self.connection.run_everywhere(call, arguments).await?;
        let answers = answers.into_iter().map(|answers| answers.answer(&read));
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        match earliest(answers) {
            Some(answer) => Ok(answer),
            None => Err(crate::error::unreadable(&self.location(), "no bucket")),
        }
    }

    /// What each bucket but the first answers.
    pub(crate) async fn in_all_but_the_first<R>(
        &self,
        call: Call,
        arguments: &Arguments,
        read: impl Fn(&mut Answers) -> Result<R, LockError>,
    ) -> Result<Vec<Answer<R>>, LockError> {
        let others = 1..self.connection.buckets.count();
        let runs = others.map(|bucket| self.connection.run(call, bucket, arguments));
        let answers = futures::future::try_join_all(runs).await?;
        let answers = answers.into_iter();
        answers.map(|answers| answers.answer(&read)).collect()
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
