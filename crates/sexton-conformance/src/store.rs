//! What the suite needs to know of a store: how to open it, and how time passes there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use sexton_core::lock::{Capability, LockManager};
use sexton_core::name::Namespace;

use crate::Failure;

/// A store under test, as the author of its lock manager describes it to the suite.
///
/// Only [`Store::open`] has to be written. Everything the suite does in a store it does in a
/// namespace that no other case uses, so a shared server will do; an embedded store may as well be
/// made anew for every case.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// One more client of this store, with a connection of its own, as another replica would have it.
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure>;

    /// Lets `duration` pass by the store's clock. Sleeps, unless written otherwise: a store on a
    /// [`ManualClock`](sexton_core::clock::ManualClock) advances it.
    async fn pass(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Which of the hooks below are written. None, unless written otherwise; the cases that need one
    /// are then reported as not applicable.
    fn offers(&self, hook: Hook) -> bool {
        let _ = hook;
        false
    }

    /// [`Hook::Restart`]: stops the store as its crash would (a server is killed, an embedded store's
    /// handles are dropped) and starts it again with what it had acknowledged. Clients opened before
    /// are not used any more afterwards.
    async fn restart(&self) -> Result<(), Failure> {
        Err(Failure::new("this store has no restart hook"))
    }

    /// [`Hook::ClockJump`]: sets the store's date forwards or backwards, without time passing.
    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        Err(Failure::new(format_args!(
            "this store has no hook to set its clock by {by:#}"
        )))
    }

    /// [`Hook::SkewedClients`]: one more client, on a machine whose clock is ahead of the store's by
    /// `by` (behind, if negative). Where a client reads no clock at all, this is [`Store::open`].
    async fn open_skewed(
        &self,
        namespace: &Namespace,
        by: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        let _ = namespace;
        Err(Failure::new(format_args!(
            "this store has no hook for a client whose clock is off by {by:#}"
        )))
    }
}

/// Something that can be done to a store from outside, where its author offers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// [`Store::restart`].
    Restart,
    /// [`Store::jump`].
    ClockJump,
    /// [`Store::open_skewed`].
    SkewedClients,
}

/// What a case asks of the store and its manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// [`Capability::Leases`].
    Leases,
    /// [`Capability::History`].
    History,
    /// [`Capability::Operations`].
    Operations,
    /// [`Hook::Restart`].
    Restart,
    /// [`Hook::ClockJump`].
    ClockJump,
    /// [`Hook::SkewedClients`].
    SkewedClients,
}

impl Need {
    /// Whether the need is met.
    pub(crate) fn is_met(self, store: &dyn Store, manager: &dyn LockManager) -> bool {
        match self {
            Need::Leases => manager.supports(Capability::Leases),
            Need::History => manager.supports(Capability::History),
            Need::Operations => manager.supports(Capability::Operations),
            Need::Restart => store.offers(Hook::Restart),
            Need::ClockJump => store.offers(Hook::ClockJump),
            Need::SkewedClients => store.offers(Hook::SkewedClients),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Leases => Capability::Leases.fmt(f),
            Need::History => Capability::History.fmt(f),
            Need::Operations => Capability::Operations.fmt(f),
            Need::Restart => f.write_str("the hook to restart the store"),
            Need::ClockJump => f.write_str("the hook to set the store's clock"),
            Need::SkewedClients => f.write_str("the hook for clients with a wrong clock"),
        }
    }
}
