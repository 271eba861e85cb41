//! Instances: reports, signals, who is there.

use jiff::Timestamp;

use super::sweep::needs_sweep;
use super::{Beat, Engine, Operation, Port};
use crate::lock::{Answer, InstanceRecord, InstanceReport, Signals};
use crate::name::{Incarnation, InstanceId};

/// Reads the clock and nothing else.
pub(super) struct Now;

impl<P: Port> Operation<P> for Now {
    type Output = Timestamp;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Timestamp, P::Error> {
        engine.port.now(connection).await
    }
}

/// Notifies other clients that something has changed.
pub(super) struct Notify;

impl<P: Port> Operation<P> for Notify {
    type Output = ();

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<(), P::Error> {
        engine.port.notify(connection).await
    }
}

/// Reports an instance, and brings back what it should know.
pub(super) struct Heartbeat<'r>(pub(super) &'r InstanceReport);

impl<P: Port> Operation<P> for Heartbeat<'_> {
    type Output = Answer<Signals>;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Self::Output, P::Error> {
        let Beat {
            now,
            cancel,
            held_by,
        } = engine.port.beat(connection, self.0).await?;
        let value = Signals {
            cancel,
            sweep: needs_sweep(&engine.port, connection).await?,
            held_by,
        };
        Ok(Answer { now, value })
    }
}

/// Takes an incarnation of an instance out of the fleet.
pub(super) struct Leave<'i>(pub(super) &'i InstanceId, pub(super) Incarnation);

impl<P: Port> Operation<P> for Leave<'_> {
    type Output = Answer<()>;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Self::Output, P::Error> {
        engine.port.leave(connection, self.0, self.1).await?;
        let now = engine.port.now(connection).await?;
        Ok(Answer { now, value: () })
    }
}

/// Lists the instances.
pub(super) struct Instances;

impl<P: Port> Operation<P> for Instances {
    type Output = Answer<Vec<InstanceRecord>>;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Self::Output, P::Error> {
        let value = engine.port.instances(connection).await?;
        let now = engine.port.now(connection).await?;
        Ok(Answer { now, value })
    }
}

impl<P: Port> Engine<P> {
    /// Notifies other clients of a change, where the store can. A client that hears nothing finds
    /// the change with its next heartbeat, so a failure is none of the call's.
    pub(super) async fn notify_others(&self) {
        if self.port.limits().notifies {
            let _ = self.call("notify others", &mut Notify).await;
        }
    }
}
