//! Given the same calls at the same times, a server answers as the memory manager does, whatever the calls are.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sexton_core::clock::Clock;
use sexton_core::lock::Settlement;
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::{ClaimId, Namespace};
use sexton_sql::postgres::PostgresOptions;
use sexton_testkit::calls::{Step, answer, step, whole};
use sexton_testkit::fixtures::noon;
use sexton_testkit::postgres::Server;
use tokio::runtime::Runtime;

use super::clock;

/// The one character that a text of PostgreSQL's cannot have; another test says what becomes of it.
fn without_nul(step: Step) -> Step {
    let Step::Settle(batch) = step else {
        return step;
    };
    let one = |settlement: Settlement| {
        let Settlement {
            lock,
            outcome,
            started_at,
            finished_at,
            ..
        } = settlement.clone();
        let mut plain = Settlement::new(lock, outcome, started_at, finished_at);
        if let Some(error) = settlement.error() {
            plain = plain.with_error(&error.replace('\0', ""));
        }
        if let Some(output) = settlement.output() {
            plain = plain.with_output(&output.replace('\0', ""));
        }
        plain
    };
    Step::Settle(batch.into_iter().map(one).collect())
}

async fn compare(server: &Server, steps: &[Step]) -> Result<(), TestCaseError> {
    let manual = noon();
    clock::stop_at(server, manual.now()).await;
    let memory = MemoryLockManager::with_clock(Arc::new(manual.clone()));
    let namespace = Namespace::new(ClaimId::random().to_string()).unwrap();
    let options = PostgresOptions::new().namespace(namespace);
    let url = server.url() + clock::BY_THAT_CLOCK;
    let manager = options.connect(&url).await.unwrap();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Wait(ms) = step {
            let ms = Duration::from_millis(*ms);
            manual.advance(ms);
            clock::advance(server, ms).await;
        }
        let expected = answer(&memory, step).await;
        let found = answer(&manager, step).await;
        prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
    }
    let (expected, found) = (whole(&memory).await, whole(&manager).await);
    prop_assert_eq!(expected, found, "at the end");
    manager.close().await;
    Ok(())
}

#[test]
fn a_server_answers_as_memory_does() {
    let Some(server) = Server::start() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(clock::install(&server));
    // A failing case is printed whole, shrunk; PROPTEST_RNG_SEED steers it.
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step().prop_map(without_nul), 1..60);
    let done =
        TestRunner::new(config).run(&steps, |steps| runtime.block_on(compare(&server, &steps)));
    done.unwrap_or_else(|error| panic!("{error}"));
}
