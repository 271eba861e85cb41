//! Tells the store how executions ended: in batches, off the path of the tick.

use std::sync::Arc;

use sexton_core::lock::{BATCH_MAX, Execution, Settled, Settlement};
use tokio::sync::mpsc;

use crate::driver::{Command, Found};
use crate::event::Event;
use crate::link::{Link, backoff};

/// Runs until every sender is gone and everything is told. While one batch is on its way the next
/// one gathers.
pub(crate) async fn settle_all(
    link: Arc<Link>,
    mut settlements: mpsc::Receiver<Settlement>,
    driver: mpsc::Sender<Command>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while settlements.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let answers = settle_batch(&link, &batch).await;
        let mut waiting = Vec::new();
        for (settlement, answer) in batch.drain(..).zip(answers) {
            let execution = settlement.lock.execution;
            match answer {
                Settled::Recorded {
                    waiting: Some(tick),
                } => {
                    let execution = Execution { tick, ..execution };
                    waiting.push(Found::waiting(execution, None));
                }
                Settled::Recorded { waiting: None } => {}
                Settled::Refused => {
                    let why = "the lock is not held any more".to_owned();
                    link.events
                        .emit(Event::SettlementDropped { execution, why });
                }
            }
        }
        if !waiting.is_empty() {
            // A driver that is gone or busy leaves it to the next sweep.
            let _ = driver.try_send(Command::Claim(waiting));
        }
    }
}

/// A settlement is repeated until the store has it: it cannot be told twice.
async fn settle_batch(link: &Link, batch: &[Settlement]) -> Vec<Settled> {
    let mut failures = 0;
    loop {
        match link.call(link.manager.settle(batch)).await {
            Ok(answers) => return answers,
            Err(_) => {
                let retry_at = link.clock.monotonic() + backoff(failures);
                failures = failures.saturating_add(1);
                link.clock.sleep_until(retry_at).await;
            }
        }
    }
}
