//! Given the same calls at the same times, a server answers as the memory manager does, whatever the calls are.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sexton_core::clock::Clock as _;
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::{ClaimId, Namespace};
use sexton_sql::mysql::MySqlOptions;
use sexton_testkit::calls::{Step, answer, step, whole};
use sexton_testkit::fixtures::noon;
use sexton_testkit::mariadb::Server;
use sqlx::MySqlPool;
use tokio::runtime::Runtime;

use super::clock::Clock;

async fn compare(pool: &MySqlPool, clock: &Clock, steps: &[Step]) -> Result<(), TestCaseError> {
    let manual = noon();
    clock.stand_at(manual.now());
    let memory = MemoryLockManager::with_clock(Arc::new(manual.clone()));
    let namespace = Namespace::new(ClaimId::random().to_string()).unwrap();
    let options = MySqlOptions::new().namespace(namespace);
    let manager = options.with_pool(pool.clone()).await.unwrap();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Wait(ms) = step {
            let ms = Duration::from_millis(*ms);
            manual.advance(ms);
            clock.advance(ms);
        }
        let expected = answer(&memory, step).await;
        let found = answer(&manager, step).await;
        prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
    }
    let (expected, found) = (whole(&memory).await, whole(&manager).await);
    prop_assert_eq!(expected, found, "at the end");
    Ok(())
}

#[test]
fn a_server_answers_as_memory_does() {
    let Some(server) = Server::start() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let clock = Clock::going();
    let pool = runtime.block_on(clock.pool(&server));
    // A failing case is printed whole, shrunk; PROPTEST_RNG_SEED steers it.
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..60);
    let done = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(compare(&pool, &clock, &steps))
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}
