//! Calls under way to the store, one of a kind at a time.

use std::time::Duration;

use sexton_core::clock::Clock;
use sexton_core::lock::LockError;
use tokio_util::task::AbortOnDropHandle;

use crate::backoff::backoff;
use crate::no_answer::joined;

/// A store that does not answer within this is away.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// What the store answered to a batch.
pub(super) type Answers<A> = Result<Vec<Result<A, LockError>>, LockError>;

/// A batch and what the store answered to it.
pub(super) type Answered<E, A> = (Vec<E>, Answers<A>);

/// A call under way with the batch it is about.
#[derive(Debug)]
struct UnderWay<E, A> {
    batch: Vec<E>,
    sent_at: Duration,
    call: AbortOnDropHandle<Answers<A>>,
}

/// At most one call of a kind, and when the next may be tried after one has failed.
#[derive(Debug)]
pub(super) struct CallSlot<E, A> {
    under_way: Option<UnderWay<E, A>>,
    failures: u32,
    retry_at: Duration,
}

impl<E, A> Default for CallSlot<E, A> {
    fn default() -> CallSlot<E, A> {
        CallSlot {
            under_way: None,
            failures: 0,
            retry_at: Duration::ZERO,
        }
    }
}

impl<E, A: Send + 'static> CallSlot<E, A> {
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// What the call under way is about.
    pub(super) fn batch(&self) -> &[E] {
        self.under_way.as_ref().map_or(&[], |one| &one.batch)
    }

    /// Whether a call may be sent now.
    pub(super) fn is_free(&self, clock: &dyn Clock) -> bool {
        !self.is_busy() && clock.monotonic() >= self.retry_at
    }

    /// When a call may be sent, if none is under way and the last one failed.
    pub(super) fn retry_at(&self, clock: &dyn Clock) -> Option<Duration> {
        (!self.is_busy() && clock.monotonic() < self.retry_at).then_some(self.retry_at)
    }

    /// Whether the call under way takes so long that the store counts as away.
    pub(super) fn is_slow(&self, clock: &dyn Clock) -> bool {
        let sent_at = self.under_way.as_ref().map(|one| one.sent_at);
        sent_at.is_some_and(|sent_at| clock.monotonic() >= sent_at + SLOW_AFTER)
    }

    pub(super) fn send(
        &mut self,
        clock: &dyn Clock,
        batch: Vec<E>,
        call: impl Future<Output = Answers<A>> + Send + 'static,
    ) {
        let call = AbortOnDropHandle::new(tokio::spawn(call));
        let sent_at = clock.monotonic();
        self.under_way = Some(UnderWay {
            batch,
            sent_at,
            call,
        });
    }

    /// Completes with the answer to the call under way; never, if there is none. Cancel safe.
    pub(super) async fn answered(&mut self) -> Answered<E, A> {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let answer = joined((&mut under_way.call).await);
        if answer.is_ok() {
            self.failures = 0;
        }
        let batch = self.under_way.take().map(|one| one.batch);
        (batch.unwrap_or_default(), answer)
    }

    /// Waits before the next call, longer with each failure; answers how long.
    pub(super) fn back_off(&mut self, clock: &dyn Clock) -> Duration {
        let pause = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = clock.monotonic() + pause;
        pause
    }

    /// The store may be back, as another call found out: there is no need to wait as long as after
    /// many failures.
    pub(super) fn hurry(&mut self, clock: &dyn Clock) {
        self.failures = 0;
        self.retry_at = self.retry_at.min(clock.monotonic() + backoff(0));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::clock::TokioClock;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_slow_from_a_second_on_until_it_is_answered() {
        let clock = TokioClock::at(jiff::Timestamp::UNIX_EPOCH);
        let mut slot: CallSlot<u8, u8> = CallSlot::default();
        assert!(!slot.is_slow(&clock));
        let (answer, answered) = oneshot::channel();
        slot.send(&clock, vec![1], async move {
            Ok(vec![Ok(answered.await.unwrap())])
        });
        tokio::time::advance(SLOW_AFTER - Duration::from_millis(1)).await;
        assert!(!slot.is_slow(&clock));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(slot.is_slow(&clock));
        answer.send(2).unwrap();
        let (batch, answer) = slot.answered().await;
        let answer: Vec<u8> = answer.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!((batch, answer), (vec![1], vec![2]));
        assert!(!slot.is_slow(&clock));
    }
}
