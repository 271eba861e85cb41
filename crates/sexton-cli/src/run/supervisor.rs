//! What a supervisor that started the program is told, as
//! [sd_notify(3)](https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html) says:
//! nothing, if there is none.

use std::time::Duration;

use sd_notify::NotifyState;
use sexton::SchedulerHandle;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A supervisor, which hears that the scheduler lives as long as this does.
pub(super) struct Supervisor {
    _watchdog: JoinSet<()>,
}

impl Supervisor {
    /// Tells that the tasks run from now on and, if the supervisor wants to hear it, that they
    /// still do, as often as it asks for.
    pub(super) fn told_ready(handle: &SchedulerHandle) -> Supervisor {
        tell(&[NotifyState::Ready]);
        let mut watchdog = JoinSet::new();
        if let Some(limit) = sd_notify::watchdog_enabled() {
            watchdog.spawn(feed(limit, handle.clone()));
        }
        Supervisor {
            _watchdog: watchdog,
        }
    }

    pub(super) fn told_reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            // Without the time the supervisor takes a reload for one that has failed.
            Err(error) => tracing::warn!(%error, "the supervisor is not told of a reload"),
        }
    }

    pub(super) fn told_reloaded(&self) {
        tell(&[NotifyState::Ready]);
    }

    pub(super) fn told_stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

/// Tells that the scheduler lives, as often as [systemd
/// recommends](https://www.freedesktop.org/software/systemd/man/latest/sd_watchdog_enabled.html),
/// for as long as its drivers answer.
async fn feed(limit: Duration, handle: SchedulerHandle) {
    let pause = limit / 2;
    loop {
        if matches!(timeout(pause, handle.ping()).await, Ok(Ok(()))) {
            tell(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(pause / 2).await;
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the supervisor cannot be told");
    }
}
