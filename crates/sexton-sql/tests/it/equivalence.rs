//! Given the same calls at the same times, a file answers as the memory manager does, whatever the calls are.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use sexton_core::memory::MemoryLockManager;
use sexton_testkit::calls::{Step, answer, step, whole};

use crate::place::Place;

async fn compare(steps: &[Step]) -> Result<(), TestCaseError> {
    let place = Place::new();
    let memory = MemoryLockManager::with_clock(Arc::new(place.clock.clone()));
    let file = place.open().await;
    for (number, step) in steps.iter().enumerate() {
        if let Step::Wait(ms) = step {
            place.clock.advance(Duration::from_millis(*ms));
        }
        let expected = answer(&memory, step).await;
        let found = answer(&file, step).await;
        prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
    }
    let (expected, found) = (whole(&memory).await, whole(&file).await);
    prop_assert_eq!(expected, found, "at the end");
    file.close().await.unwrap();
    Ok(())
}

proptest! {
    // A failing case is printed whole, shrunk; PROPTEST_RNG_SEED steers it.
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_file_answers_as_memory_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(&steps))?;
    }
}
