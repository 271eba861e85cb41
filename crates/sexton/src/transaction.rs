//! Runs with transactional delivery: what the handler wrote and how its execution ended, committed
//! together.

use std::sync::Arc;

use sexton_core::lock::{Committed, Outcome, Renewal, Settlement, TransactionEnd, TransactionSlot};
use sexton_core::policy::Delivery;
use sexton_core::store_time::StoreTime;

use crate::attempt_outcome::AttemptOutcome;
use crate::clock::within;
use crate::contained::contained_in;
use crate::error_chain::chain;
use crate::granted::GrantedRun;
use crate::handler::Completion;
use crate::no_answer::panicked;
use crate::runs::Runs;
use crate::stop_cause::StopCause;

/// Where a try takes its transaction from, if its task has transactional delivery.
pub(crate) fn transaction_slot(runs: &Runs, granted: &GrantedRun) -> Option<TransactionSlot> {
    let delivery = granted.task.policies.delivery;
    if !matches!(delivery, Delivery::Transactional { .. }) {
        return None;
    }
    let slot = TransactionSlot::new(runs.client.manager.transactions()?);
    Some(slot.of_run(Renewal {
        lock: granted.lock.clone(),
        lease: granted.task.policies.lease,
    }))
}

/// Ends what the handler began: commits it with the outcome if it has succeeded, and undoes it if
/// not.
pub(crate) async fn end_transaction(
    runs: &Arc<Runs>,
    granted: &GrantedRun,
    started_at: StoreTime,
    slot: &TransactionSlot,
    tried: AttemptOutcome,
) -> AttemptOutcome {
    let succeeded = match tried {
        AttemptOutcome::Ended(completion) if completion.outcome == Outcome::Succeeded => completion,
        other => return undo(runs, slot, other).await,
    };
    let transaction = match slot.close() {
        TransactionEnd::Nothing | TransactionEnd::Unavailable => {
            return AttemptOutcome::Ended(succeeded);
        }
        TransactionEnd::InUse => {
            return AttemptOutcome::Ended(Completion::failed(
                "the handler ended while something else still held its transaction, which was undone",
            ));
        }
        TransactionEnd::Transaction(transaction) => transaction,
    };
    let finished_at = runs.client.now();
    let mut settlement = Settlement::new(
        granted.lock.clone(),
        Outcome::Succeeded,
        started_at.timestamp(),
        finished_at.timestamp(),
    );
    if let Some(output) = &succeeded.output {
        settlement = settlement.with_output(output);
    }
    let committed = contained_in(transaction.settle_and_commit(&settlement)).await;
    match committed
        .unwrap_or_else(|panic| Committed::Unknown(panicked(&*runs.client.manager, &panic)))
    {
        Committed::Recorded => AttemptOutcome::Committed(succeeded),
        Committed::Refused => AttemptOutcome::Stopped(StopCause::LockLost, None),
        Committed::RolledBack(error) if error.is_transient() => {
            AttemptOutcome::Undone(Box::new(error))
        }
        Committed::RolledBack(error) => AttemptOutcome::Ended(Completion::failed(error)),
        Committed::Unknown(error) => AttemptOutcome::Unknown(format!(
            "whether its transaction was committed is not known, and is for the store to find out: {}",
            chain(&error)
        )),
    }
}

/// Undoes what the handler began, which did not succeed. If the store was in its way (no
/// transaction to be had, a connection that broke), a failure is not the handler's.
async fn undo(runs: &Runs, slot: &TransactionSlot, tried: AttemptOutcome) -> AttemptOutcome {
    let handed = slot.close();
    let has_begun = !matches!(handed, TransactionEnd::Unavailable);
    let is_stores_trouble = match handed {
        TransactionEnd::Nothing | TransactionEnd::InUse => false,
        TransactionEnd::Unavailable => true,
        TransactionEnd::Transaction(transaction) => {
            let (clock, limit) = (&*runs.client.clock, runs.client.call_limit);
            // Where that does not get through, the server undoes it when the connection ends.
            match within(clock, limit, transaction.roll_back()).await {
                Some(Ok(())) => false,
                Some(Err(error)) => error.is_transient(),
                None => true,
            }
        }
    };
    match tried {
        AttemptOutcome::Ended(Completion {
            outcome: Outcome::Failed,
            error,
            ..
        }) if is_stores_trouble => {
            let error = error.unwrap_or_else(|| "the handler failed".into());
            match has_begun {
                true => AttemptOutcome::Undone(error),
                false => AttemptOutcome::NotBegun(error),
            }
        }
        other => other,
    }
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod argument {
    use sexton_sql::{TransactionalDatabase, Tx, WrongDatabase};

    use crate::extract::{BuildContext, FromRun, MissingArgument};
    use crate::run::Run;

    fn wrong(WrongDatabase { wanted, found }: WrongDatabase) -> MissingArgument {
        MissingArgument::Database { wanted, found }
    }

    impl<DB: TransactionalDatabase> FromRun for Tx<DB> {
        fn check(context: &BuildContext<'_>) -> Result<(), MissingArgument> {
            Tx::<DB>::check(context.take_transaction()?).map_err(wrong)
        }

        fn from_run(run: &Run) -> Result<Tx<DB>, MissingArgument> {
            let slot = run.transaction().cloned();
            Tx::of(slot.ok_or(MissingArgument::NotTransactional)?).map_err(wrong)
        }
    }
}
