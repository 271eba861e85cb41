//! How a call runs: within its limit, tried again while others are in the way, on another
//! connection when one broke.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use super::{Backoff, Engine, ErrorClass, Port, PortError, Unavailable};
use crate::lock::LockError;

/// How much earlier than a call's own limit a connection has to be there.
const CHECK_OUT_MARGIN: Duration = Duration::from_millis(5);

/// What a call does with a connection.
///
/// It runs again when others were in the way or the connection broke, perhaps after it took effect,
/// so it must be something that may be repeated. What it has done already it may keep.
pub trait Operation<P: Port>: Send {
    /// What it brings back.
    type Output: Send;

    /// Tries once.
    fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> impl Future<Output = Result<Self::Output, P::Error>> + Send;
}

/// When a call has to be over, by the engine's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Duration,
    limit: Duration,
}

impl<P: Port> Engine<P> {
    /// Runs an operation as a call of the lock manager.
    ///
    /// # Errors
    /// As the port says, for `action`.
    pub async fn call<O: Operation<P>>(
        &self,
        action: &'static str,
        operation: &mut O,
    ) -> Result<O::Output, LockError> {
        let done = self.attempt(operation).await;
        done.map_err(|error| error.into_lock_error(self.port.location(), action))
    }

    /// Runs an operation within the limit of a call.
    ///
    /// # Errors
    /// The last try's, or the port's own.
    pub async fn attempt<O: Operation<P>>(&self, operation: &mut O) -> Result<O::Output, P::Error> {
        let limits = self.port.limits();
        let deadline = self.deadline(limits.call);
        let mut backoff = Backoff::default();
        let mut breaks_left = limits.broken_max;
        // Why the call tried again: that says more than that its time is over.
        let mut last = None;
        loop {
            // A port that has no connection says why, which is worth more than that time is over.
            let left = self.left(deadline).saturating_sub(CHECK_OUT_MARGIN);
            let checked_out = self.within(deadline, self.port.check_out(left)).await;
            let mut checkout = match checked_out {
                Ok(checkout) => checkout?,
                Err(stalled) => return Err(last.unwrap_or(stalled.into())),
            };
            loop {
                let connection = P::connection(&mut checkout);
                let running = self.within(deadline, operation.run(self, connection));
                let error = match running.await {
                    Ok(Ok(output)) => {
                        self.port.give_back(checkout).await;
                        return Ok(output);
                    }
                    Ok(Err(error)) => error,
                    Err(stalled) => {
                        self.port.suspect_connections();
                        return Err(last.unwrap_or(stalled.into()));
                    }
                };
                match error.class() {
                    ErrorClass::Conflict => {
                        if !self.pause(backoff.next_wait(&self.draw), deadline).await {
                            self.port.give_back(checkout).await;
                            return Err(error);
                        }
                    }
                    ErrorClass::Busy => {
                        // Nobody waits for what this try has locked.
                        let connection = P::connection(&mut checkout);
                        let undoing = self.within(deadline, self.port.undo(connection));
                        if !matches!(undoing.await, Ok(Ok(()))) {
                            return Err(error);
                        }
                        if !self.pause(backoff.next_wait(&self.draw), deadline).await {
                            self.port.give_back(checkout).await;
                            return Err(error);
                        }
                    }
                    ErrorClass::Broken if breaks_left > 0 => {
                        breaks_left -= 1;
                        last = Some(error);
                        break;
                    }
                    ErrorClass::Transient if limits.outage_wait.is_some() => {
                        let wait = limits.outage_wait.unwrap_or_default();
                        if !self.pause(wait, deadline).await {
                            return Err(error);
                        }
                        last = Some(error);
                        break;
                    }
                    ErrorClass::Broken | ErrorClass::Transient | ErrorClass::Permanent => {
                        return Err(error);
                    }
                }
                last = Some(error);
            }
        }
    }

    pub(super) fn deadline(&self, limit: Duration) -> Deadline {
        let at = self.clock.monotonic().saturating_add(limit);
        Deadline { at, limit }
    }

    /// How much of a call's time is left.
    fn left(&self, deadline: Deadline) -> Duration {
        deadline.at.saturating_sub(self.clock.monotonic())
    }

    /// Runs a future until the deadline.
    pub(super) async fn within<F: Future>(
        &self,
        deadline: Deadline,
        future: F,
    ) -> Result<F::Output, Unavailable> {
        let mut future = pin!(future);
        // Most futures are done before a timer is worth its setting.
        let first = futures::poll!(&mut future);
        if let std::task::Poll::Ready(output) = first {
            return Ok(output);
        }
        match select(future, self.clock.sleep_until(deadline.at)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(((), _)) => Err(Unavailable::Stalled {
                limit: deadline.limit,
            }),
        }
    }

    /// Waits before the next try. `false`, at once, if that would come after the deadline.
    pub(super) async fn pause(&self, wait: Duration, deadline: Deadline) -> bool {
        let until = self.clock.monotonic().saturating_add(wait);
        if until >= deadline.at {
            return false;
        }
        self.clock.sleep_until(until).await;
        true
    }
}
