//! Tells the store how executions ended: in batches, off the path of the tick.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{BATCH_MAX, Execution, LockError, Settled, Settlement};
use tokio::sync::mpsc;

use crate::driver::{Command, Found};
use crate::event::Event;
use crate::link::{Link, backoff, chain};
use crate::runs::SETTLEMENTS_MAX;

/// How long the store is asked again for what it refuses for good, in case somebody mends it.
const REFUSED_MAX: Duration = Duration::from_secs(3_600);

/// Between tries of what the store refuses: this long, doubling to the other.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(60);

/// So many refused one after the other, and none taken, stand for the rest of their batch.
const REFUSED_IN_A_ROW: usize = 4;

/// Runs until every sender is gone and everything is told that the store takes. While one batch is
/// on its way the next one gathers.
pub(crate) async fn settle_all(
    link: Arc<Link>,
    mut settlements: mpsc::Receiver<Settlement>,
    driver: mpsc::Sender<Command>,
) {
    let mut settler = Settler {
        link,
        driver,
        aside: VecDeque::new(),
    };
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        let retry_at = settler.aside.iter().map(|aside| aside.retry_at).min();
        let link = Arc::clone(&settler.link);
        tokio::select! {
            biased;
            count = settlements.recv_many(&mut batch, BATCH_MAX) => {
                if count == 0 {
                    break;
                }
                let fresh = batch.drain(..).map(Aside::from).collect();
                settler.tell(fresh).await;
            }
            () = link.sleep_until(retry_at) => settler.tell_again().await,
        }
    }
    settler.tell_the_rest().await;
}

/// A settlement that the store has not taken yet.
#[derive(Debug)]
struct Aside {
    settlement: Settlement,
    failures: u32,
    retry_at: Duration,
    /// Since when the store refuses it, other than for the moment.
    refused_since: Option<Duration>,
}

impl From<Settlement> for Aside {
    fn from(settlement: Settlement) -> Aside {
        Aside {
            settlement,
            failures: 0,
            retry_at: Duration::ZERO,
            refused_since: None,
        }
    }
}

type Answers = Vec<Result<Settled, LockError>>;

struct Settler {
    link: Arc<Link>,
    driver: mpsc::Sender<Command>,
    /// What the store did not take, while it took others.
    aside: VecDeque<Aside>,
}

impl Settler {
    async fn tell(&mut self, batch: Vec<Aside>) {
        let settlements: Vec<Settlement> = batch.iter().map(|one| one.settlement.clone()).collect();
        let answers = self.settle(&settlements).await;
        let mut waiting = Vec::new();
        for (told, answer) in batch.into_iter().zip(answers) {
            match answer {
                Ok(Settled::Recorded { waiting: tick }) => {
                    let execution = told.settlement.lock.execution;
                    waiting.extend(tick.map(|tick| {
                        let execution = Execution { tick, ..execution };
                        Found::waiting(execution, None)
                    }));
                }
                Ok(Settled::Refused) => {
                    self.give_up(&told, "the lock is not held any more".to_owned());
                }
                Err(error) => self.set_aside(told, &error),
            }
        }
        if !waiting.is_empty() {
            // A driver that is gone or busy leaves it to the next sweep.
            let _ = self.driver.try_send(Command::Claim(waiting));
        }
    }

    /// Tries again what is due of what the store did not take.
    async fn tell_again(&mut self) {
        let now = self.link.clock.monotonic();
        let (due, rest): (Vec<_>, _) = std::mem::take(&mut self.aside)
            .into_iter()
            .partition(|aside| aside.retry_at <= now);
        self.aside = rest.into();
        let mut due = due.into_iter().peekable();
        while due.peek().is_some() {
            let batch = due.by_ref().take(BATCH_MAX).collect();
            self.tell(batch).await;
        }
    }

    /// Tells what was set aside for the moment, and tries once more what the store refuses.
    async fn tell_the_rest(&mut self) {
        for aside in &mut self.aside {
            if aside.refused_since.is_some() {
                aside.retry_at = Duration::ZERO;
            }
        }
        self.tell_again().await;
        loop {
            let (refused, rest): (Vec<_>, _) = std::mem::take(&mut self.aside)
                .into_iter()
                .partition(|aside| aside.refused_since.is_some());
            self.aside = rest.into();
            for aside in refused {
                self.give_up(
                    &aside,
                    "the store refuses it, and this is the end".to_owned(),
                );
            }
            let Some(retry_at) = self.aside.iter().map(|aside| aside.retry_at).min() else {
                return;
            };
            self.link.clock.sleep_until(retry_at).await;
            self.tell_again().await;
        }
    }

    /// A batch is repeated until the store answers: its entries cannot be told twice. One that the
    /// store refuses is told in halves, so that nothing waits for what is refused alone.
    async fn settle(&self, batch: &[Settlement]) -> Answers {
        let (mut answers, mut refused, mut is_any_taken) = (Answers::new(), 0, false);
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match self.settle_part(part).await {
                Ok(answered) => {
                    is_any_taken = true;
                    answers.extend(answered);
                }
                Err(error) if part.len() <= 1 || !is_any_taken && refused >= REFUSED_IN_A_ROW => {
                    refused += 1;
                    answers.extend(part.iter().map(|_| Err(error.clone())));
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        answers
    }

    /// # Errors
    /// As the store refuses it, other than for the moment.
    async fn settle_part(&self, part: &[Settlement]) -> Result<Answers, LockError> {
        let link = &self.link;
        let mut failures = 0;
        loop {
            let task = |place: usize| &part[place].lock.execution.task;
            match link.call_each(task, link.manager.settle(part)).await {
                Err(error) if error.is_transient() => {
                    let retry_at = link.clock.monotonic() + backoff(failures);
                    failures = failures.saturating_add(1);
                    link.clock.sleep_until(retry_at).await;
                }
                answered => return answered,
            }
        }
    }

    fn set_aside(&mut self, mut aside: Aside, error: &LockError) {
        let now = self.link.clock.monotonic();
        let shift = aside.failures.min(16);
        let pause = match error.is_transient() {
            true => backoff(aside.failures),
            false => REFUSED_PAUSE
                .saturating_mul(1 << shift)
                .min(REFUSED_PAUSE_MAX),
        };
        aside.failures = aside.failures.saturating_add(1);
        aside.retry_at = now.saturating_add(pause);
        if error.is_transient() {
            aside.refused_since = None;
        } else if aside.refused_since.is_none() {
            aside.refused_since = Some(now);
            self.link.events.emit(Event::SettlementRefused {
                execution: aside.settlement.lock.execution.clone(),
                error: chain(error),
            });
        }
        let refused_for = aside.refused_since.map(|since| now.saturating_sub(since));
        if refused_for >= Some(REFUSED_MAX) {
            self.give_up(&aside, chain(error));
            return;
        }
        self.aside.push_back(aside);
        if self.aside.len() > SETTLEMENTS_MAX
            && let Some(oldest) = self.aside.pop_front()
        {
            let why = format!("{SETTLEMENTS_MAX} outcomes wait for the store already");
            self.give_up(&oldest, why);
        }
    }

    fn give_up(&self, aside: &Aside, why: String) {
        let execution = aside.settlement.lock.execution.clone();
        self.link
            .events
            .emit(Event::SettlementDropped { execution, why });
    }
}
