//! An execution settled within a transaction that its handler wrote in.

use super::call::Deadline;
use super::decide::{BatchOp, Decision};
use super::{Backoff, Engine, ErrorClass, Operation, Port, PortError, ReadSet};
use crate::lock::rules::LockState;
use crate::lock::{Settled, Settlement};

/// How many bytes a record takes besides its error and its output, and more.
const RECORD_BYTES: usize = 1024;

/// What settlements are made of.
pub(super) fn settlements() -> BatchOp<Settlement> {
    BatchOp {
        bytes: |settlement| {
            let texts = [settlement.error(), settlement.output()];
            RECORD_BYTES + texts.into_iter().flatten().map(str::len).sum::<usize>()
        },
        ..BatchOp::new(
            "settle",
            ReadSet::of_settlements,
            |settlement: &Settlement| &settlement.lock.execution,
        )
        .for_holders()
    }
}

impl<P: Port> Engine<P> {
    /// Settles within the transaction that is open on a connection, and leaves its commit to the
    /// caller. Its row stays locked until then: a call that would grant the execution again waits
    /// for the commit and finds what was committed.
    ///
    /// # Errors
    /// As the port says. Another client's write is no error: each try sees what is committed by
    /// then, within the limit of a call.
    pub async fn settle_in_transaction(
        &self,
        connection: &mut P::Connection,
        settlement: &Settlement,
    ) -> Result<Settled, P::Error> {
        let deadline: Deadline = self.deadline(self.port.limits().call);
        let batch = std::slice::from_ref(settlement);
        let mut backoff = Backoff::default();
        loop {
            let mut decision = Decision::new(settlements(), batch, LockState::settle);
            match decision.run(self, connection).await {
                Ok(_) => {
                    let answer = decision.into_answers().next();
                    return Ok(answer.unwrap_or(Settled::Refused));
                }
                Err(error) => {
                    let is_conflict = error.class() == ErrorClass::Conflict;
                    if !is_conflict || !self.pause(backoff.next_wait(&self.draw), deadline).await {
                        return Err(error);
                    }
                }
            }
        }
    }
}
