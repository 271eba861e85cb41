//! Instances: reports, signals, who is there.

use sexton_core::lock::{Answer, InstanceRecord, InstanceReport, Signals};
use sexton_core::name::{Incarnation, InstanceId};

use super::ServerLockManager;
use super::call::Errand;
use super::dialect::{Dialect, Reported};
use super::error::Trouble;
use super::sweep::needs_sweep;

pub(super) struct Heartbeat<'r>(pub(super) &'r InstanceReport);

impl<DB: Dialect> Errand<DB> for Heartbeat<'_> {
    type Found = Answer<Signals>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        let Reported {
            now,
            revision,
            cancel,
            held_by,
        } = DB::report(manager, connection, self.0).await?;
        let value = Signals {
            cancel,
            sweep: needs_sweep(manager, connection).await?,
            revision,
            held_by,
        };
        Ok(Answer { now, value })
    }
}

pub(super) struct Leave<'i>(pub(super) &'i InstanceId, pub(super) Incarnation);

impl<DB: Dialect> Errand<DB> for Leave<'_> {
    type Found = Answer<()>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        DB::leave(manager, connection, self.0, self.1).await?;
        let now = DB::clock_now(manager, connection).await?;
        Ok(Answer { now, value: () })
    }
}

pub(super) struct Instances;

impl<DB: Dialect> Errand<DB> for Instances {
    type Found = Answer<Vec<InstanceRecord>>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        let value = DB::instances(manager, connection).await?;
        let now = DB::clock_now(manager, connection).await?;
        Ok(Answer { now, value })
    }
}
