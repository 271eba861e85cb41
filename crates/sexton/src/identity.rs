//! An instance's id: what the instance says of itself, and how it takes its id at the start.
//!
//! An id that is given by the user may be that of another instance, which would be passed over by
//! distinct placement, or that of this one before it crashed. What tells them apart is whether it
//! is seen again.

use std::time::Duration;

use sexton_core::lock::{Capability, InstanceRecord, InstanceReport};
use sexton_core::store_time::StoreTime;

use crate::context::Context;
use crate::error::BuildError;
use crate::event::Event;
use crate::store_client::StoreClient;

/// How often the store is asked whether another instance with the id was seen again.
const LOOK: Duration = Duration::from_secs(1);

/// How much longer than by the store's clock another instance is waited for at the most.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn report(context: &Context, client: &StoreClient, running: usize) -> InstanceReport {
    InstanceReport {
        instance: context.instance.clone(),
        incarnation: context.incarnation,
        started_at: context.started_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clock_offset: Some(client.offset()),
        running: u32::try_from(running).unwrap_or(u32::MAX),
        presence: context.heartbeat * 3 + Duration::from_secs(5),
    }
}

/// Takes the id in a store. If another incarnation has it, waits for as long as that one keeps it
/// without being seen again.
///
/// # Errors
/// [`BuildError::InstanceIdTaken`] if it is seen again, or another takes the id first.
pub(crate) async fn take_id(context: &Context, client: &StoreClient) -> Result<(), BuildError> {
    if !client.manager.supports(Capability::Operations) {
        return Ok(());
    }
    let report = report(context, client, 0);
    let mut first: Option<(InstanceRecord, Duration)> = None;
    loop {
        let signals = client.call(client.manager.heartbeat(&report)).await;
        let signals = signals.map_err(|source| BuildError::Store {
            name: client.name.clone(),
            source,
        })?;
        let Some(holder) = signals.held_by else {
            return Ok(());
        };
        let left = left_of(client, &holder);
        let now = client.clock.monotonic();
        let is_alive = match &first {
            None => {
                client.events.emit(Event::IdAwaited {
                    manager: client.name.clone(),
                    seen_at: holder.seen_at,
                    at_most: left,
                });
                first = Some((holder, now.saturating_add(left).saturating_add(PATIENCE)));
                false
            }
            Some((seen, until)) => *seen != holder || *until <= now,
        };
        if let Some((seen, _)) = first.as_ref().filter(|_| is_alive) {
            return Err(BuildError::InstanceIdTaken {
                instance: context.instance.clone(),
                name: client.name.clone(),
                store: client.manager.location(),
                since: seen.since,
            });
        }
        let pause = left.clamp(LOOK / 20, LOOK);
        client.clock.sleep_until(now.saturating_add(pause)).await;
    }
}

/// How much longer a holder keeps its id by the store's clock.
fn left_of(client: &StoreClient, holder: &InstanceRecord) -> Duration {
    let ago = (client.now() - StoreTime::from(holder.seen_at)).unsigned_abs();
    (holder.report.presence / 2).saturating_sub(ago)
}

/// Gives the id back: the scheduler has ended, or did not start. If the store does not hear of it,
/// it notices by the missing heartbeats.
pub(crate) async fn give_back(context: &Context, client: &StoreClient) {
    if client.manager.supports(Capability::Operations) {
        let leaving = client.manager.leave(&context.instance, context.incarnation);
        let _ = client.call(leaving).await;
    }
}
