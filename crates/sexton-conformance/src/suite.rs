//! The list of cases, and how they are run.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::bench::Bench;
use crate::store::{Need, Store};
use crate::{Failure, cases};

/// One sentence of the contract, as a test.
#[derive(Clone, Copy)]
pub struct Case {
    /// The group and the sentence: `claim::a_second_claimant_is_denied`.
    pub name: &'static str,
    /// What it asks of the store and its manager.
    pub needs: &'static [Need],
    run: fn(Bench) -> BoxFuture<'static, Result<(), Failure>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOutcome {
    /// The store does what the sentence says.
    Passed,
    /// It does not.
    Failed(Failure),
    /// The store or its manager lacks what the case needs.
    NotApplicable(Need),
}

impl Case {
    /// The longest that a case may take. One that takes longer has failed: a lock manager that
    /// does not answer must say so.
    pub const TIME_MAX: Duration = Duration::from_secs(60);

    /// Puts the store to this case. Never panics.
    pub async fn run(&self, store: Arc<dyn Store>) -> CaseOutcome {
        let run = AssertUnwindSafe(self.run_unguarded(store)).catch_unwind();
        match tokio::time::timeout(Case::TIME_MAX, run).await {
            Ok(Ok(Ok(None))) => CaseOutcome::Passed,
            Ok(Ok(Ok(Some(lacking)))) => CaseOutcome::NotApplicable(lacking),
            Ok(Ok(Err(failure))) => CaseOutcome::Failed(failure),
            Ok(Err(panic)) => CaseOutcome::Failed(Failure::new(panic_message(&*panic))),
            Err(_) => {
                let max = Case::TIME_MAX;
                CaseOutcome::Failed(Failure::new(format_args!("not done within {max:?}")))
            }
        }
    }

    async fn run_unguarded(&self, store: Arc<dyn Store>) -> Result<Option<Need>, Failure> {
        let bench = Bench::new(store)?;
        let manager = bench.open().await?;
        let is_lacking = |need: &&Need| !need.is_met(bench.store(), &*manager);
        if let Some(need) = self.needs.iter().find(is_lacking) {
            return Ok(Some(*need));
        }
        drop(manager);
        (self.run)(bench).await?;
        Ok(None)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".to_owned())
}

macro_rules! list_cases {
    ($($module:ident { $($case:ident $([$($need:ident),+])?;)+ })+) => {
        &[$($(
            Case {
                name: concat!(stringify!($module), "::", stringify!($case)),
                needs: &[$($(Need::$need),+)?],
                run: |bench| Box::pin(cases::$module::$case(bench)),
            },
        )+)+]
    };
}

static SUITE: &[Case] = crate::__for_each_case!(list_cases,);

/// Every case.
#[must_use]
pub fn suite() -> &'static [Case] {
    SUITE
}

/// How a whole suite went, case by case.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each case with how it went.
    pub outcomes: Vec<(&'static str, CaseOutcome)>,
}

impl Report {
    /// The cases that failed, with why.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &Failure)> {
        self.outcomes
            .iter()
            .filter_map(|(name, outcome)| match outcome {
                CaseOutcome::Failed(failure) => Some((*name, failure)),
                CaseOutcome::Passed | CaseOutcome::NotApplicable(_) => None,
            })
    }

    /// The cases that the store could not be put to, with what it lacks.
    pub fn not_applicable(&self) -> impl Iterator<Item = (&'static str, Need)> {
        self.outcomes
            .iter()
            .filter_map(|(name, outcome)| match outcome {
                CaseOutcome::NotApplicable(need) => Some((*name, *need)),
                CaseOutcome::Passed | CaseOutcome::Failed(_) => None,
            })
    }

    /// Whether no case failed.
    #[must_use]
    pub fn is_conforming(&self) -> bool {
        self.failures().next().is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, need) in self.not_applicable() {
            writeln!(f, "not applicable  {name}: needs {need}")?;
        }
        for (name, failure) in self.failures() {
            writeln!(f, "FAILED          {name}: {failure}")?;
        }
        let failed = self.failures().count();
        let not_applicable = self.not_applicable().count();
        let passed = self.outcomes.len() - failed - not_applicable;
        write!(
            f,
            "{passed} passed, {failed} failed, {not_applicable} not applicable"
        )
    }
}

/// Puts one store to every case, one after the other.
pub async fn run_all(store: Arc<dyn Store>) -> Report {
    let mut report = Report::default();
    for case in suite() {
        let outcome = case.run(Arc::clone(&store)).await;
        report.outcomes.push((case.name, outcome));
    }
    report
}

/// Runs the case of this name against a store made for it, on a runtime of its own. This is what
/// the tests that [`conformance_tests!`](crate::conformance_tests) generates do.
///
/// # Panics
/// If the case fails, with what failed: that is how a test says so.
#[allow(
    clippy::panic,
    reason = "a test function reports its failure by panicking"
)]
#[allow(clippy::print_stderr, reason = "what was not tested is said by name")]
pub fn run_case_as_test<S, F>(name: &str, make_store: impl FnOnce() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    let Some(case) = suite().iter().find(|case| case.name == name) else {
        panic!("the suite has no case {name:?}");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(async {
            let store = make_store().await;
            case.run(Arc::new(store)).await
        }),
        Err(error) => CaseOutcome::Failed(error.into()),
    };
    match outcome {
        CaseOutcome::Passed => {}
        CaseOutcome::NotApplicable(need) => {
            eprintln!("not applicable: {name} needs {need}, which this store lacks");
        }
        CaseOutcome::Failed(failure) => panic!("{name}: {failure}"),
    }
}
