//! The engine: how a lock manager's calls run over a store.
//!
//! A store that can load rows and write them where nobody has written meanwhile is a [`Port`]. The
//! engine does the rest once for all of them: it tries a call again while others are faster, reads
//! what a batch touches, lets [the rules](super::rules) decide, swaps in what they changed, and
//! sweeps, pages and prunes. A manager that has an engine ([`PortManager`]) is a
//! [`LockManager`](super::LockManager).
//!
//! # Why no lock is held while the rules decide
//! A batch is loaded as one snapshot, with a version of each (task, index) and the store's clock;
//! the rules decide it; what they changed is swapped in where the versions still stand. Every
//! writer raises the version of the (task, index) that it writes anything of. So what is written was
//! decided on what still was, as if all of it had happened at the moment of the write. A version
//! that has risen is a *conflict*: the (task, index) is loaded and decided again, which is also what
//! the loser of a race does, and learns that it has lost.
//!
//! A client that is stopped, slow or far away holds nothing that others wait for between its read
//! and its write. A conflict means that somebody else has succeeded, so the fleet as a whole always
//! gets on.
//!
//! Within a batch each (task, index) stands for itself: those in conflict are decided again, the
//! others are done. Under [`Placement::Distinct`](crate::policy::Placement::Distinct) the indices of
//! a task depend on each other, and a [`Swap`] names the [`IndexReservation`]s that it takes.
//!
//! # Why a loser need not write
//! If the rules change nothing, the answer is that of a transaction that ran at the moment of the
//! snapshot, which lies between the call's beginning and its end. The clock is read after the
//! snapshot is taken, so that a lease found to last and a tick found to be too early were so at the
//! snapshot as well.
//!
//! # What a lost answer says
//! A try that fails may have taken effect. A call that runs again would find what it has written
//! itself, and take it for somebody else's: a release would not be held, a skipped tick would be
//! taken. So the engine keeps what such a try would have written and answered. Where the records of
//! a key are found as they were to be written, the key is answered as that try would have answered
//! it; where not, it is decided again. A grant tells itself by its claim id.
//!
//! # Why a register is made before its first claim is decided
//! A pause raises the versions of the registers that it finds, after it can be seen itself. A claim
//! that has read neither the pause nor a register would not conflict with it, and would be granted
//! after the pause was answered. So a claim that finds no register makes an empty one and loads
//! again.

mod backoff;
mod call;
mod decide;
mod enqueue;
mod error;
mod fleet;
mod history;
mod manager;
mod port;
mod read_set;
mod settle;
mod snapshot;
mod sweep;
mod tasks;

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;

pub use backoff::{Backoff, Draw};
pub use call::Operation;
pub use error::{ErrorClass, PortError, Unavailable};
pub use manager::PortManager;
pub use port::{
    Beat, Candidates, CandidatesPage, CompareAndSwap, Connect, Fleet, Found, History, Limits, Load,
    NewPause, Port, Prune, Swap, Tasks,
};
pub use read_set::{IndexReservation, LookBack, ReadSet};
pub use snapshot::{Rows, Snapshot, Versions};

/// The calls of a lock manager over a port.
pub struct Engine<P> {
    port: P,
    clock: Arc<dyn Clock>,
    draw: Draw,
}

impl<P: Port> Engine<P> {
    /// An engine that waits by `clock`. What a port decides, it decides by the store's clock.
    pub fn new(port: P, clock: Arc<dyn Clock>) -> Engine<P> {
        Engine {
            port,
            clock,
            draw: Draw::random(),
        }
    }

    /// The same, with the lengths of its waits drawn from a seed.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Engine<P> {
        Engine {
            draw: Draw::seeded(seed),
            ..self
        }
    }

    /// The store.
    pub fn port(&self) -> &P {
        &self.port
    }
}

impl<P: fmt::Debug> fmt::Debug for Engine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
