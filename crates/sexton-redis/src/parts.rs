//! Answers of several buckets at once, each standing by itself.
//!
//! In a cluster one master may be away while the others answer. What these granted has a time to
//! begin, so nobody waits for long for a bucket that straggles, and less for one that did so
//! before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sexton_core::lock::LockError;
use tokio::time::{Instant, timeout_at};

use crate::error::unavailable;

/// How long a bucket that has not answered is waited for once another one has.
const STRAGGLING_MAX: Duration = Duration::from_millis(500);
/// The same, for one that did not answer the last time.
const AGAIN_MAX: Duration = Duration::from_millis(250);
/// How long those are waited for that did not answer the last time, where no other is asked.
const ALONE_MAX: Duration = Duration::from_secs(1);

/// A bucket that did not answer while others did, or not for the second time.
#[derive(Debug, thiserror::Error)]
#[error("no answer from this part of the cluster")]
struct Straggling;

/// Which buckets did not answer the last time.
#[derive(Debug)]
pub(crate) struct Parts(Box<[AtomicBool]>);

impl Parts {
    pub(crate) fn new(buckets: usize) -> Parts {
        Parts((0..buckets).map(|_| AtomicBool::new(false)).collect())
    }

    fn is_troubled(&self, bucket: usize) -> bool {
        let troubled = self.0.get(bucket);
        troubled.is_some_and(|troubled| troubled.load(Ordering::Relaxed))
    }

    fn note<T>(&self, bucket: usize, answer: &Result<T, LockError>) {
        let is_troubled = answer.as_ref().is_err_and(LockError::is_transient);
        if let Some(troubled) = self.0.get(bucket) {
            troubled.store(is_troubled, Ordering::Relaxed);
        }
    }

    /// What became of each of the calls, in their order. `slack` is how much longer an answer may
    /// take than it takes the others.
    pub(crate) async fn ask<T>(
        &self,
        location: &str,
        action: &'static str,
        slack: Duration,
        calls: impl IntoIterator<Item = (usize, impl Future<Output = Result<T, LockError>>)>,
    ) -> Vec<Result<T, LockError>> {
        let (mut buckets, mut under_way) = (Vec::new(), FuturesUnordered::new());
        for (place, (bucket, call)) in calls.into_iter().enumerate() {
            buckets.push((bucket, self.is_troubled(bucket)));
            under_way.push(async move { (place, call.await) });
        }
        let mut untroubled = buckets.iter().filter(|(_, troubled)| !troubled).count();
        let mut deadline = match untroubled {
            // Where there is but one bucket, there is nobody to keep waiting.
            0 if self.0.len() > 1 => Some(Instant::now() + ALONE_MAX + slack),
            _ => None,
        };
        let (mut answers, mut answered_at) = (Vec::new(), None);
        answers.resize_with(buckets.len(), || None);
        loop {
            let next = match deadline {
                None => under_way.next().await,
                Some(deadline) => match timeout_at(deadline, under_way.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
            };
            let Some((place, answer)) = next else {
                break;
            };
            let answer: Result<T, LockError> = answer;
            let (_, was_troubled) = buckets[place];
            untroubled -= usize::from(!was_troubled);
            if answer.is_ok() && answered_at.is_none() {
                answered_at = Some(Instant::now());
            }
            answers[place] = Some(answer);
            let patience = match untroubled {
                0 => AGAIN_MAX,
                _ => STRAGGLING_MAX,
            };
            deadline = answered_at.map(|at| at + patience + slack).or(deadline);
        }
        let answers = answers.into_iter().zip(buckets);
        let each = answers.map(|(answer, (bucket, _))| {
            let answer = answer.unwrap_or_else(|| Err(unavailable(location, action, Straggling)));
            self.note(bucket, &answer);
            answer
        });
        each.collect()
    }
}

/// The answers of those that have answered.
///
/// # Errors
/// The first of them, if none has.
pub(crate) fn those_that_answered<T>(
    answers: Vec<Result<T, LockError>>,
) -> Result<Vec<T>, LockError> {
    let mut error = None;
    let mut found = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer {
            Ok(answer) => found.push(answer),
            Err(failed) => error = error.or(Some(failed)),
        }
    }
    match error {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::unreadable;

    async fn after(millis: u64) -> Result<u64, LockError> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(millis)
    }

    async fn ask(parts: &Parts, millis: &[u64]) -> (Vec<Option<u64>>, u128) {
        let began = Instant::now();
        let calls = millis.iter().map(|millis| after(*millis)).enumerate();
        let answers = parts.ask("redis", "claim", Duration::ZERO, calls).await;
        let answers = answers.into_iter().map(Result::ok).collect();
        (answers, began.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_answered_does_not_wait_for_long_for_what_has_not() {
        let parts = Parts::new(4);
        let (answers, took) = ask(&parts, &[60_000, 200, 600, 900]).await;
        assert_eq!(
            (answers, took),
            (vec![None, Some(200), Some(600), None], 700)
        );
        // Those that straggled are waited for less, and for a moment where no other is asked.
        let (answers, took) = ask(&parts, &[60_000, 10, 10, 260]).await;
        assert_eq!(
            (answers, took),
            (vec![None, Some(10), Some(10), Some(260)], 260)
        );
        let (answers, took) = ask(&parts, &[60_000]).await;
        assert_eq!((answers, took), (vec![None], 1_000));
        let (answers, took) = ask(&parts, &[900, 30]).await;
        assert_eq!((answers, took), (vec![None, Some(30)], 280));
        let (answers, took) = ask(&parts, &[900]).await;
        assert_eq!((answers, took), (vec![Some(900)], 900));
        let (answers, took) = ask(&parts, &[400, 30]).await;
        assert_eq!((answers, took), (vec![Some(400), Some(30)], 400));
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_one_bucket_it_is_waited_for() {
        let parts = Parts::new(1);
        let lost = async { Err::<u64, _>(unavailable("redis", "claim", Straggling)) };
        parts
            .ask("redis", "claim", Duration::ZERO, [(0, lost)])
            .await;
        assert_eq!(ask(&parts, &[60_000]).await, (vec![Some(60_000)], 60_000));
    }

    #[test]
    fn a_part_in_trouble_leaves_the_others() {
        let trouble = || Err(unreadable("redis", "nonsense"));
        let found = those_that_answered(vec![trouble(), Ok(1), Ok(2)]).unwrap();
        assert_eq!(found, [1, 2]);
        assert!(those_that_answered::<u8>(vec![trouble(), trouble()]).is_err());
        assert!(those_that_answered::<u8>(Vec::new()).unwrap().is_empty());
    }
}
