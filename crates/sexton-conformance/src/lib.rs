//! The suite that any [`LockManager`](sexton_core::lock::LockManager) can be put to.
//!
//! Each case is one sentence of the contract, and bears it as its name. Write a [`Store`] that opens your manager, and let
//! [`conformance_tests!`] make a test of every case:
//!
//! ```
//! # use std::sync::Arc;
//! use sexton_conformance::{Failure, Store};
//! use sexton_core::lock::LockManager;
//! use sexton_core::memory::MemoryLockManager;
//! use sexton_core::name::Namespace;
//!
//! struct InMemory(MemoryLockManager);
//!
//! #[async_trait::async_trait]
//! impl Store for InMemory {
//!     async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
//!         Ok(Arc::new(self.0.in_namespace(namespace.clone())))
//!     }
//! }
//!
//! async fn make_store() -> impl Store {
//!     InMemory(MemoryLockManager::new())
//! }
//!
//! mod conformance {
//!     use super::make_store;
//!     sexton_conformance::conformance_tests!(make_store);
//! }
//! # fn main() {}
//! ```
//!
//! Cases that need what the manager does not [support](sexton_core::lock::LockManager::supports), or a [`Hook`] that the store
//! does not offer, are named as not applicable. [`run_all`] gives a [`Report`] of all cases instead.
//!
//! The suite is itself put to the test: broken managers, one for each way to be wrong, must each fail a case.

// A case states what must hold by `assert!`; `Case::run` catches what fails.
mod bench;
mod cases;
mod failure;
mod list;
mod replica;
mod store;
mod suite;

pub use failure::Failure;
pub use store::{Hook, Need, Store};
pub use suite::{Case, CaseOutcome, Report, run_all, run_case_as_test, suite};
