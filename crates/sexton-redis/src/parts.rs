//! Answers of several buckets at once, each standing by itself.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sexton_core::lock::LockError;
use tokio::time::{Instant, timeout_at};

use crate::error::unavailable;

/// How long a bucket that has not answered is waited for once another one has: what the others
/// granted has a time to begin.
const STRAGGLING_MAX: Duration = Duration::from_secs(1);

/// A bucket that did not answer while others did.
#[derive(Debug, thiserror::Error)]
#[error("no answer for {STRAGGLING_MAX:?} after another part of the cluster had answered")]
struct Straggling;

/// What became of each of the calls, in their order.
pub(crate) async fn answers_of<T>(
    location: &str,
    action: &'static str,
    calls: impl IntoIterator<Item = impl Future<Output = Result<T, LockError>>>,
) -> Vec<Result<T, LockError>> {
    let calls = calls.into_iter().enumerate();
    let mut under_way: FuturesUnordered<_> = calls
        .map(|(place, call)| async move { (place, call.await) })
        .collect();
    let mut answers: Vec<_> = std::iter::repeat_with(|| None)
        .take(under_way.len())
        .collect();
    let mut deadline = None;
    loop {
        let answered = match deadline {
            None => under_way.next().await,
            Some(deadline) => match timeout_at(deadline, under_way.next()).await {
                Ok(answered) => answered,
                Err(_) => break,
            },
        };
        let Some((place, answer)) = answered else {
            break;
        };
        if answer.is_ok() && deadline.is_none() {
            deadline = Some(Instant::now() + STRAGGLING_MAX);
        }
        answers[place] = Some(answer);
    }
    let straggling = || Err(unavailable(location, action, Straggling));
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(straggling))
        .collect()
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

    async fn after(seconds: u64) -> Result<u64, LockError> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_answered_does_not_wait_for_long_for_what_has_not() {
        let began = Instant::now();
        let answers = answers_of("redis", "claim", [after(60), after(2), after(3), after(4)]).await;
        let answers: Vec<_> = answers.into_iter().map(Result::ok).collect();
        assert_eq!(answers, [None, Some(2), Some(3), None]);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_alone_is_waited_for() {
        let answers = answers_of("redis", "claim", [after(60)]).await;
        assert!(matches!(answers.as_slice(), [Ok(60)]));
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
