//! Tells the store how executions ended: in batches, off the path of the tick.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{BATCH_MAX, Execution, LockError, Settled, Settlement};
use tokio::sync::mpsc;

use crate::backoff::backoff;
use crate::command::{Command, Found};
use crate::error_chain::chain;
use crate::event::Event;
use crate::runs::SETTLEMENTS_MAX;
use crate::store_client::StoreClient;

/// How long the store is asked again for what it refuses permanently, in case somebody mends it.
const REFUSED_MAX: Duration = Duration::from_secs(3_600);

/// Between tries of what the store refuses: this long, doubling to the other.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(60);

/// This many refused in a row, with none taken, stand for the rest of their batch.
const REFUSED_IN_A_ROW: usize = 4;

/// Runs until every sender is gone and everything is told that the store takes. While one batch is
/// on its way the next one gathers, and what the store did not take is told again beside them.
pub(crate) async fn settle_all(
    client: Arc<StoreClient>,
    settlements: mpsc::Receiver<Settlement>,
    driver: mpsc::Sender<Command>,
) {
    let (set_aside, aside) = mpsc::unbounded_channel();
    let teller = Teller { client, driver };
    let fresh = settle_fresh(teller.clone(), settlements, set_aside);
    tokio::join!(fresh, settle_again(teller, aside));
}

async fn settle_fresh(
    teller: Teller,
    mut settlements: mpsc::Receiver<Settlement>,
    set_aside: mpsc::UnboundedSender<Aside>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while settlements.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let fresh = batch.drain(..).map(Aside::from).collect();
        for aside in teller.tell(fresh).await {
            // It listens for as long as this sends.
            let _ = set_aside.send(aside);
        }
    }
}

/// Tells again what the store did not take: it cannot have been told twice. When nothing more
/// comes, what is refused is tried once more.
async fn settle_again(teller: Teller, mut set_aside: mpsc::UnboundedReceiver<Aside>) {
    let mut all: VecDeque<Aside> = VecDeque::new();
    let mut is_open = true;
    while is_open || !all.is_empty() {
        let retry_at = all.iter().map(|aside| aside.retry_at).min();
        tokio::select! {
            biased;
            aside = set_aside.recv(), if is_open => match aside {
                Some(aside) => all.push_back(aside),
                None => {
                    is_open = false;
                    let refused = all.iter_mut().filter(|aside| aside.is_refused());
                    refused.for_each(|aside| aside.retry_at = Duration::ZERO);
                }
            },
            () = teller.client.sleep_until(retry_at) => {
                let due = take_due(&mut all, teller.client.clock.monotonic());
                for aside in teller.tell(due).await {
                    match is_open || !aside.is_refused() {
                        true => all.push_back(aside),
                        false => teller.give_up(&aside, "the store refuses it".to_owned()),
                    }
                }
            }
        }
        while all.len() > SETTLEMENTS_MAX
            && let Some(oldest) = all.pop_front()
        {
            let why = format!("{SETTLEMENTS_MAX} outcomes wait for the store already");
            teller.give_up(&oldest, why);
        }
    }
}

/// A batch of those that are due.
fn take_due(all: &mut VecDeque<Aside>, now: Duration) -> Vec<Aside> {
    let mut due = Vec::new();
    for aside in std::mem::take(all) {
        match aside.retry_at <= now && due.len() < BATCH_MAX {
            true => due.push(aside),
            false => all.push_back(aside),
        }
    }
    due
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

impl Aside {
    fn is_refused(&self) -> bool {
        self.refused_since.is_some()
    }
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

type Answer = Result<Settled, LockError>;

#[derive(Clone)]
struct Teller {
    client: Arc<StoreClient>,
    driver: mpsc::Sender<Command>,
}

impl Teller {
    /// Tells a batch; answers what the store did not take, which must be told again.
    async fn tell(&self, batch: Vec<Aside>) -> Vec<Aside> {
        let answers = self.settle(&batch).await;
        self.take(batch, answers)
    }

    /// What the store answers to each. A batch that it refuses is told in halves, so that nothing
    /// waits for what is refused alone.
    async fn settle(&self, batch: &[Aside]) -> Vec<Answer> {
        let all: Vec<Settlement> = batch.iter().map(|one| one.settlement.clone()).collect();
        let (mut answers, mut refused, mut is_any_taken) = (Vec::new(), 0, false);
        let mut parts = vec![all.as_slice()];
        while let Some(part) = parts.pop() {
            let task = |place: usize| &part[place].lock.execution.task;
            let told = self
                .client
                .call_each(task, self.client.manager.settle(part));
            match told.await {
                Ok(answered) => {
                    is_any_taken = true;
                    answers.extend(answered);
                }
                Err(error)
                    if part.len() <= 1
                        || error.is_transient()
                        || !is_any_taken && refused >= REFUSED_IN_A_ROW =>
                {
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

    fn take(&self, batch: Vec<Aside>, answers: Vec<Answer>) -> Vec<Aside> {
        let (mut waiting, mut again) = (Vec::new(), Vec::new());
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
                Err(error) => again.extend(self.put_off(told, &error)),
            }
        }
        if !waiting.is_empty() {
            // A driver that is gone or busy leaves it to the next sweep.
            let _ = self.driver.try_send(Command::Claim(waiting));
        }
        again
    }

    /// When to tell it again; `None` if it was refused for too long.
    fn put_off(&self, mut aside: Aside, error: &LockError) -> Option<Aside> {
        let now = self.client.clock.monotonic();
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
            self.client.events.emit(Event::SettlementRefused {
                execution: aside.settlement.lock.execution.clone(),
                error: chain(error),
            });
        }
        let refused_for = aside.refused_since.map(|since| now.saturating_sub(since));
        if refused_for >= Some(REFUSED_MAX) {
            self.give_up(&aside, chain(error));
            return None;
        }
        Some(aside)
    }

    fn give_up(&self, aside: &Aside, why: String) {
        let execution = aside.settlement.lock.execution.clone();
        self.client
            .events
            .emit(Event::SettlementDropped { execution, why });
    }
}
