//! A client that takes no answers, in the middle of a transaction.

use sexton_core::lock::{LockManager, TaskDefinition};
use sexton_testkit::fixtures::{instance, task};
use sexton_testkit::process::Disk;
use sexton_testkit::proxy::{Cut, Proxy};
use tokio::time::Instant;

use super::{PATIENCE, WAIT_MAX, definition};
use crate::on_servers::{Options, TestServer, on_each_server};

on_each_server!(a_client_that_takes_no_answers_keeps_nobody_waiting,);

/// The server cannot get rid of what it answers, in the middle of a transaction.
async fn a_client_that_takes_no_answers_keeps_nobody_waiting<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, S::MANY_CONNECTIONS) else {
        return;
    };
    server.make_tables().await;
    let named = |number: u32, by: &str| TaskDefinition {
        task: task(&format!("task-{number}")),
        definition: by.repeat(60_000),
        ..definition(by)
    };
    let all = |by: &str| (0..400).map(|number| named(number, by)).collect::<Vec<_>>();
    let other = Options::<S>::new().wait_max(WAIT_MAX);
    let other = other.connect(&server.url()).await.unwrap();
    for part in all("a").chunks(20) {
        other.define(&instance("two"), part).await.unwrap();
    }
    let proxy = Proxy::to(server.port()).await;
    let options = Options::<S>::new().wait_max(PATIENCE * 3);
    let cut_off = options.connect(&server.url_at(proxy.port)).await.unwrap();
    let changed = all("b");
    // Past a new connection's greetings, until it is at the rows, which it locks in the order of
    // their names.
    for requests in 1..=12 {
        proxy.cut_after_requests(requests, Cut::Silence);
        let (by, batch) = (instance("one"), changed.as_slice());
        let defining = cut_off.define(&by, batch);
        let meanwhile = async {
            proxy.has_cut().await;
            let began = Instant::now();
            let defined = other.define(&instance("two"), &[named(0, "c")]).await;
            let waited = began.elapsed();
            defined.unwrap_or_else(|error| panic!("{requests}: after {waited:?}: {error:?}"));
            assert!(waited < WAIT_MAX, "{requests}: waited for {waited:?}");
        };
        tokio::select! {
            defined = defining => panic!("{requests}: it was not cut off: {defined:?}"),
            () = meanwhile => {}
        }
        proxy.mend();
    }
}
