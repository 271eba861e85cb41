//! The engine over a port in memory, put to the suite: plain, and while calls of the port go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Case, CaseOutcome, Failure, Hook, Store, run_all, suite};
use sexton_core::clock::ManualClock;
use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;

use sexton_testkit::memory_port::{Layout, MemoryPort, MemoryStore, Odds};
use sexton_testkit::virtual_clock::VirtualClock;

/// Faults that a call gets over within its limit.
const ODDS: Odds = Odds {
    busy: 40,
    broken: 40,
    lost_answer: 60,
    transient: 20,
    conflict: 200,
    delay_max: Duration::from_millis(3),
};

/// A store whose clients draw their faults from a seed each.
struct EngineStore {
    store: Arc<MemoryStore>,
    clock: VirtualClock,
    layout: Layout,
    /// `None` where nothing goes wrong.
    seed: Option<u64>,
    clients: AtomicU64,
}

impl EngineStore {
    fn new(layout: Layout, seed: Option<u64>) -> EngineStore {
        let clock = ManualClock::at("2024-01-30T10:20:30.4Z".parse().unwrap());
        EngineStore {
            store: MemoryStore::new(clock),
            clock: VirtualClock::default(),
            layout,
            seed,
            clients: AtomicU64::new(0),
        }
    }
}

#[async_trait::async_trait]
impl Store for EngineStore {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let client = self.clients.fetch_add(1, Ordering::SeqCst);
        let port = MemoryPort::new(&self.store, &self.clock)
            .in_namespace(namespace.clone())
            .layout(self.layout)
            .limits(|limits| {
                limits.broken_max = 1_000;
                limits.outage_wait = Some(Duration::from_millis(50));
                limits.confirms_by_write = self.layout == Layout::Documents;
                limits.candidates_page = 7;
                limits.pruned_max = 3;
                limits.settled_bytes_max = 64 * 1024;
                limits.call = Duration::from_secs(600);
            });
        let port = match self.seed {
            Some(seed) => port.faulty(seed.wrapping_mul(1_000) + client, ODDS),
            None => port,
        };
        Ok(Arc::new(port.manager(client)))
    }

    async fn pass(&self, duration: Duration) {
        self.store.clock.advance(duration);
    }

    fn offers(&self, _: Hook) -> bool {
        true
    }

    async fn restart(&self) -> Result<(), Failure> {
        self.store.forget_connections();
        Ok(())
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        self.store.clock.jump(by);
        Ok(())
    }

    /// A client's clock decides nothing.
    async fn open_skewed(
        &self,
        namespace: &Namespace,
        _: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        self.open(namespace).await
    }
}

/// Runs a future that asks Tokio for a timer, on the clock of a store.
fn run<F: Future>(clock: &VirtualClock, future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    clock.run(future)
}

fn run_plain(layout: Layout) {
    let store = EngineStore::new(layout, None);
    let clock = store.clock.clone();
    let report = run(&clock, run_all(Arc::new(store)));
    assert!(report.is_conforming(), "{report}");
    assert_eq!(report.not_applicable().count(), 0, "{report}");
}

#[test]
fn over_a_table_the_engine_conforms() {
    run_plain(Layout::Table);
}

#[test]
fn over_documents_the_engine_conforms() {
    run_plain(Layout::Documents);
}

/// Runs a case over a new store, with faults from this seed.
fn run_faulty(case: &Case, layout: Layout, seed: u64) -> Option<String> {
    let store = EngineStore::new(layout, Some(seed));
    let clock = store.clock.clone();
    match run(&clock, case.run(Arc::new(store))) {
        CaseOutcome::Passed => None,
        other => Some(format!("{} under seed {seed}: {other:?}", case.name)),
    }
}

fn run_all_faulty(layout: Layout) {
    let of_case = |case| (0..20).filter_map(move |seed| run_faulty(case, layout, seed));
    let failures: Vec<String> = suite().iter().flat_map(of_case).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn over_a_table_each_case_holds_while_calls_of_the_port_go_wrong() {
    run_all_faulty(Layout::Table);
}

#[test]
fn over_documents_each_case_holds_while_calls_of_the_port_go_wrong() {
    run_all_faulty(Layout::Documents);
}
