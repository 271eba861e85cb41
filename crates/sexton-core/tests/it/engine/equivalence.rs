//! Given the same calls at the same times, the engine over a port in memory answers as the
//! in-memory manager does, whether or not calls of the port go wrong meanwhile.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use sexton_core::memory::MemoryLockManager;

use sexton_testkit::calls::{Step, answer, step, whole};
use sexton_testkit::fixtures::noon;
use sexton_testkit::memory_port::{Layout, MemoryPort, MemoryPortManager, MemoryStore, Odds};
use sexton_testkit::virtual_clock::VirtualClock;

/// Enough faults that some calls fail for their caller.
const ODDS: Odds = Odds {
    busy: 60,
    broken: 60,
    lost_answer: 60,
    transient: 20,
    conflict: 250,
    delay_max: Duration::from_millis(3),
};

/// What one comparison looks at.
struct Pair {
    clock: VirtualClock,
    store: Arc<MemoryStore>,
    oracle: MemoryLockManager,
    engine: MemoryPortManager,
}

impl Pair {
    /// Where nothing goes wrong, the seed decides nothing.
    fn new(layout: Layout, odds: Odds, seed: u64) -> Pair {
        let (clock, store) = (VirtualClock::default(), MemoryStore::new(noon()));
        let oracle = MemoryLockManager::with_clock(Arc::new(store.clock.clone()));
        let port = MemoryPort::new(&store, &clock)
            .layout(layout)
            .limits(|limits| {
                limits.broken_max = 4;
                limits.outage_wait = Some(Duration::from_millis(50));
                limits.confirms_by_write = layout == Layout::Documents;
                limits.candidates_page = 2;
                limits.pruned_max = 2;
                limits.settled_bytes_max = 1_100;
            })
            .faulty(seed, odds);
        let engine = port.manager(seed);
        Pair {
            clock,
            store,
            oracle,
            engine,
        }
    }

    /// Plays the steps until one fails for its caller. How many were compared.
    async fn compare(&self, steps: &[Step]) -> Result<usize, TestCaseError> {
        for (number, step) in steps.iter().enumerate() {
            if let Step::Wait(ms) = step {
                self.store.clock.advance(Duration::from_millis(*ms));
            }
            let expected = answer(&self.oracle, step).await;
            let found = answer(&self.engine, step).await;
            if is_failure(&found) {
                return Ok(number);
            }
            prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
        }
        Ok(steps.len())
    }
}

/// What a caller is told whose call failed.
fn is_failure(answer: &str) -> bool {
    answer.starts_with("Err(Unavailable")
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::Table), Just(Layout::Documents)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..60)
}

proptest! {
    // A failing case is printed whole, shrunk; PROPTEST_RNG_SEED steers it.
    #![proptest_config(Config { cases: 500, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_engine_answers_as_memory_does(steps in steps(), layout in layout()) {
        let pair = Pair::new(layout, Odds::default(), 0);
        let compared = pair.clock.run(pair.compare(&steps))?;
        prop_assert_eq!(compared, steps.len());
        let (expected, found) = pair.clock.run(async {
            (whole(&pair.oracle).await, whole(&pair.engine).await)
        });
        prop_assert_eq!(expected, found, "at the end");
    }

    #[test]
    fn amid_faults_the_engine_answers_as_memory_does(
        steps in steps(),
        layout in layout(),
        seed in any::<u64>(),
    ) {
        let pair = Pair::new(layout, ODDS, seed);
        pair.clock.run(pair.compare(&steps))?;
    }
}
