//! One lock manager of a scheduler, with all that drives its tasks: opened at the start, ended at the
//! shutdown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{Capability, Execution};
use sexton_core::name::{ManagerName, TaskName};
use sexton_core::tick::Tick;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::within;
use crate::command::Command;
use crate::context::Context;
use crate::driver::Driver;
use crate::housekeeping::announce;
use crate::presence::{beat_for_ever, leave, leave_when_failed};
use crate::renewer::renew_for_ever;
use crate::runs::{Runs, SETTLEMENTS_MAX};
use crate::settler::settle_all;
use crate::stop_cause::StopCause;
use crate::store_client::StoreClient;
use crate::task::CheckedTask;
use crate::watched::{ANNOUNCER, DRIVER, HEARTBEAT, LEAVER, RENEWER, SETTLER};

/// Commands that may wait for a driver.
const COMMANDS_MAX: usize = 64;

/// How long the store may take for the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long, beyond the cancel grace, a run takes until it is dropped.
const UNTIL_DROPPED: Duration = Duration::from_secs(1);

/// One lock manager, with all that drives its tasks.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) name: ManagerName,
    pub(super) client: Arc<StoreClient>,
    pub(super) runs: Arc<Runs>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) driver: JoinHandle<()>,
    pub(super) settler: JoinHandle<()>,
    /// Renews, beats, announces: needed until the last run has ended.
    pub(super) services: Vec<JoinHandle<()>>,
}

impl Backend {
    /// Opens it with its tasks, each accounted for up to a tick, and begins to drive them.
    pub(super) fn open(
        context: &Arc<Context>,
        client: Arc<StoreClient>,
        tasks: Vec<CheckedTask>,
        accounted: &HashMap<TaskName, Tick>,
    ) -> Backend {
        let (settlements, to_settle) = mpsc::channel(SETTLEMENTS_MAX);
        let (commands, to_obey) = mpsc::channel(COMMANDS_MAX);
        let runs = Arc::new(Runs::new(
            Arc::clone(context),
            Arc::clone(&client),
            settlements,
        ));
        let tasks: Vec<Arc<CheckedTask>> = tasks.into_iter().map(Arc::new).collect();
        let mut driver = Driver::new(
            Arc::clone(context),
            Arc::clone(&client),
            Arc::clone(&runs),
            to_obey,
        );
        for task in &tasks {
            let after = accounted.get(&task.name).copied();
            driver.add(task, after);
        }
        let watch = &context.watch;
        let mut services = vec![watch.spawn(RENEWER, renew_for_ever(Arc::clone(&runs)))];
        if client.manager.supports(Capability::Operations) {
            let beat = beat_for_ever(Arc::clone(&runs), commands.clone());
            let beat = watch.spawn(HEARTBEAT, beat);
            let leave = leave_when_failed(Arc::clone(&runs), beat.abort_handle());
            services.extend([beat, watch.spawn(LEAVER, leave)]);
            let (client, context) = (Arc::clone(&client), Arc::clone(context));
            services.push(watch.spawn(ANNOUNCER, announce(client, context, tasks)));
        }
        Backend {
            name: client.name.clone(),
            driver: watch.spawn(DRIVER, driver.run()),
            settler: watch.spawn(
                SETTLER,
                settle_all(Arc::clone(&client), to_settle, commands.clone()),
            ),
            client,
            runs,
            commands,
            services,
        }
    }

    /// Ends it: waits for what runs up to `grace`, then cancels it. Answers what was cut off, and
    /// whether every outcome could be told to the store.
    pub(super) async fn end(
        mut self,
        grace: Duration,
        cancel_grace: Duration,
    ) -> (Vec<Execution>, bool) {
        // It may be the scheduler's own clock that failed.
        let clock: Arc<dyn Clock> = match self.runs.context.watch.failure() {
            None => Arc::clone(&self.client.clock),
            Some(_) => Arc::new(SystemClock),
        };
        let drained_by = clock.monotonic().saturating_add(grace);
        let left = || drained_by.saturating_sub(clock.monotonic());
        // Until it has given back what it was granted, nothing is known to be idle.
        let driver = within(
            &*clock,
            left().saturating_add(LAST_WORDS * 2),
            &mut self.driver,
        )
        .await;
        if driver.is_none() {
            self.driver.abort();
        }
        let mut cut_off = Vec::new();
        let mut is_idle = true;
        if within(&*clock, left(), self.runs.idle()).await.is_none() {
            cut_off = self.runs.executions();
            self.runs.stop_all(StopCause::ShuttingDown);
            let limit = cancel_grace.saturating_add(UNTIL_DROPPED);
            if within(&*clock, limit, self.runs.idle()).await.is_none() {
                // These are not settled: one that blocks its thread does not even end.
                self.runs.abort_all();
                is_idle = false;
            }
        }
        self.services.iter().for_each(JoinHandle::abort);
        self.runs.close_settlements();
        let settled = within(&*clock, LAST_WORDS, &mut self.settler).await;
        if settled.is_none() {
            self.settler.abort();
        }
        if self.client.manager.supports(Capability::Operations) {
            leave(&self.runs).await;
        }
        let all_settled = is_idle && settled.is_some() && !self.runs.is_unsettled();
        (cut_off, all_settled)
    }
}
