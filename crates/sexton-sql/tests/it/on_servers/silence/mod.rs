//! An instance that loses its network, or stands still, at any moment of any call: nobody else
//! waits for it for long, and it is back itself as soon as its network is.
//!
//! The plain run goes through every request of every call with a network that swallows everything.
//! `SEXTON_CUTS=all` adds connections that end and clients that are stopped.
mod answers;
mod calls;
mod runs;

use std::num::NonZeroU32;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, ClaimLead, Consumption, Enqueue, Grant, HeldLock, InstanceReport, LockError,
    LockManager, Reason, TaskDefinition, Verdict,
};
use sexton_core::name::Namespace;
use sexton_core::policy::{Delivery, Lease};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::{claim, execution, grant, instance, task};
use sexton_testkit::proxy::{Cut, Proxy};
use sqlx::pool::PoolOptions;

use super::{Manager, Options, TestServer};

/// How long anybody waits for somebody else, on a machine that is busy with other tests as well. A
/// call takes 5 s at most, unless told otherwise, and the server waits 3 s for a client.
const WAIT_MAX: Duration = Duration::from_secs(8);
/// How many are tried at once.
const AT_ONCE: usize = 24;
/// How long the instance that is cut off tries: long enough for it to be opened on a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);
/// Long enough for all of it.
const LEASE: Duration = Duration::from_secs(600);
/// Where a manager's connections come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Own,
    Lent,
}

fn cuts() -> &'static [Cut] {
    match std::env::var("SEXTON_CUTS").as_deref() {
        Ok("all") => &[Cut::Silence, Cut::Freeze, Cut::End, Cut::Reset],
        _ => &[Cut::Silence],
    }
}

fn held(claim: &Claim, grant: &Grant) -> HeldLock {
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant.fence,
    }
}

async fn verdict(manager: &dyn LockManager, claim: &Claim) -> Result<Verdict, LockError> {
    let batch = std::slice::from_ref(claim);
    let answer = manager.claim(ClaimLead::default(), batch).await?.whole()?;
    Ok(answer.value.into_iter().next().unwrap())
}

fn leased(after_noon_ms: i64, by: &str) -> Claim {
    Claim {
        delivery: Delivery::AtLeastOnce {
            attempts_max: NonZeroU32::new(3).unwrap(),
        },
        lease: Lease::new(LEASE).unwrap(),
        ..claim("digest", after_noon_ms, by)
    }
}

fn definition(by: &str) -> TaskDefinition {
    TaskDefinition {
        task: task("digest"),
        schedule: "now and then".to_owned(),
        canonical: "sometimes".to_owned(),
        concurrency: Concurrency::ONE,
        definition: by.to_owned(),
    }
}

fn report(by: &str) -> InstanceReport {
    InstanceReport {
        instance: instance(by),
        incarnation: sexton_core::name::Incarnation::from_u128(1),
        started_at: SystemClock.now(),
        version: "1".to_owned(),
        clock_offset: None,
        running: 0,
        presence: Duration::from_secs(60),
    }
}
/// A namespace of its own: a manager that may be cut off, and one that may not.
struct Pair<S: TestServer> {
    proxy: Proxy,
    cut_off: Manager<S>,
    other: Manager<S>,
    lock: HeldLock,
}

impl<S: TestServer> Pair<S> {
    async fn open(server: &S, from: From, namespace: &str) -> Pair<S> {
        let options = Options::<S>::new().namespace(Namespace::new(namespace).unwrap());
        let other = options.clone().wait_max(WAIT_MAX);
        let other = other.connect(&server.url()).await.unwrap();
        let proxy = Proxy::to(server.port()).await;
        let url = server.url_at(proxy.port);
        let options = options.wait_max(PATIENCE);
        let cut_off = match from {
            From::Own => options.connect(&url).await.unwrap(),
            From::Lent => {
                let pool = PoolOptions::<S::DB>::new().max_connections(3);
                options
                    .with_pool(pool.connect(&url).await.unwrap())
                    .await
                    .unwrap()
            }
        };
        let ours = leased(1, "one");
        let granted = verdict(&other, &ours).await.unwrap();
        let lock = held(&ours, grant(&granted));
        // Something for a sweep to close, for a prune to delete, and for a leave to find.
        let deadline = Some(SystemClock.now() - jiff::SignedDuration::from_secs(60));
        let late = Enqueue {
            execution: execution("late", 0),
            concurrency: Concurrency::ONE,
            deadline,
        };
        other.enqueue(&[late]).await.unwrap();
        let over = execution("over", 0);
        let by = instance("one");
        let over = Consumption::new(over, Concurrency::ONE, Reason::TooLate, by);
        other.consume(&[over]).await.unwrap().whole().unwrap();
        other.heartbeat(&report("one")).await.unwrap();
        Pair {
            proxy,
            cut_off,
            other,
            lock,
        }
    }
}
