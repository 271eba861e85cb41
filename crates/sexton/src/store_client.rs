//! A scheduler's client of one lock manager: bounded calls, the estimated store clock, and whether
//! the store is reachable.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::clock::Clock;
use sexton_core::lock::{Answer, Answers, LockError, LockManager};
use sexton_core::name::{ManagerName, TaskName};
use sexton_core::store_time::StoreTime;

use crate::clock::{sleep_until, within};
use crate::contained::contained_in;
use crate::error_chain::chain;
use crate::event::{Event, EventBus};
use crate::no_answer::{no_answer, panicked};
use crate::offset::{Agreement, ClockSample, StoreClock};
use crate::parts::{Change, Parts};
use crate::turns::{Turned, Turns};
use crate::watched::{CALL, Watch};

/// An offset from our own clock, or a leap of the store's, that is worth a warning.
const OFFSET_WARN: Duration = Duration::from_secs(1);

/// A client of one lock manager.
#[derive(Debug)]
pub(crate) struct StoreClient {
    pub(crate) name: ManagerName,
    pub(crate) manager: Arc<dyn LockManager>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: EventBus,
    watch: Arc<Watch>,
    /// Changes when the store's clock leapt or the store is back, to wake what sleeps by it or
    /// waits for it.
    turned: Arc<Turned>,
    pub(crate) call_limit: Duration,
    store_clock: Mutex<StoreClock>,
    lost_since: Mutex<Option<Duration>>,
    parts: Mutex<Parts>,
}

impl StoreClient {
    /// Asks the lock manager for its clock, and begins to follow it.
    ///
    /// # Errors
    /// As the manager answers to the first question for its clock.
    pub(crate) async fn establish(
        name: ManagerName,
        manager: Arc<dyn LockManager>,
        clock: Arc<dyn Clock>,
        watch: Arc<Watch>,
        call_limit: Duration,
    ) -> Result<StoreClient, LockError> {
        let sent = clock.monotonic();
        let asked = within(&*clock, call_limit, contained_in(manager.now())).await;
        let store_now = match asked {
            Some(Ok(answer)) => answer?,
            Some(Err(panic)) => return Err(panicked(&*manager, &panic)),
            None => return Err(no_answer(&*manager, call_limit)),
        };
        let sample = ClockSample {
            sent,
            received: clock.monotonic(),
            store_now,
        };
        let client = StoreClient {
            name,
            manager,
            clock,
            events: watch.events.clone(),
            watch,
            turned: Arc::default(),
            call_limit,
            store_clock: Mutex::new(StoreClock::from_first(sample)),
            lost_since: Mutex::new(None),
            parts: Mutex::default(),
        };
        client.tell_offset(true);
        Ok(client)
    }

    /// The store's clock, as we estimate it.
    pub(crate) fn now(&self) -> StoreTime {
        self.with_store_clock(|clock| clock.at(self.clock.monotonic()))
    }

    /// Our monotonic time at an instant of the store's clock.
    pub(crate) fn monotonic_at(&self, time: StoreTime) -> Duration {
        self.with_store_clock(|clock| clock.monotonic_at(time))
    }

    /// Tells, from now on, when the store's clock leapt or the store is back.
    pub(crate) fn turns(&self) -> Turns {
        self.turned.turns()
    }

    /// Completes at our monotonic time `wake`; `None`: never.
    pub(crate) async fn sleep_until(&self, wake: Option<Duration>) {
        match wake {
            Some(wake) => sleep_until(&*self.clock, wake).await,
            None => std::future::pending().await,
        }
    }

    /// Makes a call, with a limit, and learns from its answer. A manager that panics is an outage
    /// as one that does not answer; if anything else panics, the scheduler has failed.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = Result<Answer<T>, LockError>>,
    ) -> Result<T, LockError> {
        let called = async {
            let answered = contained_in(call).await;
            answered.unwrap_or_else(|panic| Err(panicked(&*self.manager, &panic)))
        };
        match contained_in(self.ask(called)).await {
            Ok(answer) => answer,
            Err(panic) => {
                let error = panicked(&*self.manager, &panic);
                self.watch.fail(CALL, panic);
                Err(error)
            }
        }
    }

    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<Answer<T>, LockError>>,
    ) -> Result<T, LockError> {
        let sent = self.clock.monotonic();
        let answered = within(&*self.clock, self.call_limit, call).await;
        let answered = answered.unwrap_or_else(|| Err(no_answer(&*self.manager, self.call_limit)));
        match answered {
            Ok(Answer { now, value }) => {
                let received = self.clock.monotonic();
                self.learn(ClockSample {
                    sent,
                    received,
                    store_now: now,
                });
                self.found();
                Ok(value)
            }
            Err(error) => {
                self.lost(&error);
                Err(error)
            }
        }
    }

    /// Makes a call about a batch, of which `task` names the entries' tasks: parts of the store may
    /// be in trouble.
    pub(crate) async fn call_each<'b, T>(
        &self,
        task: impl Fn(usize) -> &'b TaskName,
        call: impl Future<Output = Result<Answers<T>, LockError>>,
    ) -> Result<Vec<Result<T, LockError>>, LockError> {
        let answers = self.call(call).await?;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.is_whole() && answers.iter().all(Result::is_ok) {
            return Ok(answers);
        }
        let now = self.clock.monotonic();
        let mut is_any_lost = false;
        for (place, answer) in answers.iter().enumerate() {
            let task = task(place);
            let manager = || self.name.clone();
            is_any_lost |= answer.is_err();
            match (parts.note(task, answer.is_ok(), now), answer) {
                (Change::Lost, Err(error)) => self.events.emit(Event::StorePartLost {
                    manager: manager(),
                    task: task.clone(),
                    error: chain(error),
                }),
                (Change::Back(after), _) => self.events.emit(Event::StorePartBack {
                    manager: manager(),
                    after,
                }),
                _ => {}
            }
        }
        if is_any_lost {
            self.events.store_error(&self.name);
        }
        Ok(answers)
    }

    /// Asks for the store's clock, after ours was seen to leap.
    pub(crate) async fn look_at_clock(&self) {
        let asked = async {
            let now = self.manager.now().await?;
            Ok(Answer { now, value: () })
        };
        // Trouble was told by the call itself.
        let _ = self.call(asked).await;
    }

    fn learn(&self, sample: ClockSample) {
        let agreement = self.with_store_clock(|clock| clock.add(sample));
        if let Agreement::Leapt(by) = agreement {
            if by.unsigned_abs() >= OFFSET_WARN {
                let manager = self.name.clone();
                self.events.emit(Event::ClockLeapt { manager, by });
            }
            self.tell_offset(true);
            self.turned.tell();
        }
    }

    /// The store's clock minus our own.
    pub(crate) fn offset(&self) -> SignedDuration {
        self.now() - StoreTime::from(self.clock.now())
    }

    pub(crate) fn tell_offset(&self, warn: bool) {
        let offset = self.offset();
        self.events.clock_offset(&self.name, offset);
        if warn && offset.unsigned_abs() >= OFFSET_WARN {
            self.events.emit(Event::ClockOffset {
                manager: self.name.clone(),
                offset,
            });
        }
    }

    /// Whether the last call failed.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn lost(&self, error: &LockError) {
        self.events.store_error(&self.name);
        let mut lost_since = self
            .lost_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if lost_since.is_some() {
            return;
        }
        *lost_since = Some(self.clock.monotonic());
        drop(lost_since);
        let (manager, message) = (self.name.clone(), chain(error));
        self.events.emit(if error.is_transient() {
            Event::StoreLost {
                manager,
                error: message,
            }
        } else {
            Event::StoreRefuses {
                manager,
                error: message,
            }
        });
    }

    fn found(&self) {
        let mut lost_since = self
            .lost_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = lost_since.take() {
            let after = self.clock.monotonic().saturating_sub(since);
            drop(lost_since);
            self.events.emit(Event::StoreBack {
                manager: self.name.clone(),
                after,
            });
            self.turned.tell();
        }
    }

    fn with_store_clock<T>(&self, act: impl FnOnce(&mut StoreClock) -> T) -> T {
        act(&mut self
            .store_clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}
