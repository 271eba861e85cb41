//! Given the same calls at the same times, the manager answers as the one in memory does, whatever
//! the calls are.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use sexton_core::memory::MemoryLockManager;
use sexton_testkit::calls::{Step, answer, step, whole};
use sexton_testkit::fixtures::noon;

use super::server::Server;

async fn compare(steps: &[Step]) -> Result<(), TestCaseError> {
    let clock = noon();
    let memory = MemoryLockManager::with_clock(Arc::new(clock.clone()));
    let manager = Server::with_clock(Arc::new(clock.clone())).manager().await;
    for (number, step) in steps.iter().enumerate() {
        if let Step::Wait(ms) = step {
            clock.advance(Duration::from_millis(*ms));
        }
        let expected = answer(&memory, step).await;
        let found = answer(&manager, step).await;
        prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
    }
    let (expected, found) = (whole(&memory).await, whole(&manager).await);
    prop_assert_eq!(expected, found, "at the end");
    Ok(())
}

proptest! {
    // A failing case is printed whole, shrunk; PROPTEST_RNG_SEED steers it.
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn it_answers_as_memory_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(&steps))?;
    }
}
