//! The suite finds whatever is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store, run_all, suite};
use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;

use crate::in_memory::InMemory;
use crate::mutant::{Fault, Mutant};

struct Broken {
    store: InMemory,
    fault: Fault,
}

#[async_trait::async_trait]
impl Store for Broken {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let inner = match self.fault {
            Fault::NamespacesShared => self.store.manager.clone(),
            _ => self.store.manager.in_namespace(namespace.clone()),
        };
        Ok(Arc::new(Mutant {
            inner: Arc::new(inner),
            fault: self.fault,
        }))
    }

    async fn pass(&self, duration: Duration) {
        self.store.pass(duration).await;
    }

    fn offers(&self, hook: Hook) -> bool {
        self.store.offers(hook)
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        self.store.jump(by).await
    }

    async fn open_skewed(
        &self,
        namespace: &Namespace,
        _: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        self.open(namespace).await
    }
}

#[tokio::test]
async fn every_broken_manager_fails_a_case() {
    let mut survivors = Vec::new();
    let mut unneeded: BTreeSet<_> = suite().iter().map(|case| case.name).collect();
    for &fault in Fault::ALL {
        let report = run_all(Arc::new(Broken {
            store: InMemory::new(),
            fault,
        }))
        .await;
        let found: Vec<_> = report.failures().map(|(name, _)| name).collect();
        println!("{fault:?}: {}", found.join(", "));
        unneeded.retain(|name| !found.contains(name));
        if found.is_empty() {
            survivors.push(fault);
        }
    }
    println!("failed under no fault: {unneeded:?}");
    assert!(survivors.is_empty(), "no case notices {survivors:?}");
}

#[tokio::test]
async fn a_manager_that_is_right_fails_none() {
    let report = run_all(Arc::new(InMemory::new())).await;
    assert!(report.is_conforming(), "{report}");
    let not_applicable: Vec<_> = report.not_applicable().map(|(name, _)| name).collect();
    assert!(
        not_applicable
            .iter()
            .all(|name| name.starts_with("restart::")),
        "{not_applicable:?}"
    );
}
