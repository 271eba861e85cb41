//! Arguments of handlers: anything that can be had from a [`Run`].

use std::cell::Cell;
use std::sync::Arc;

use sexton_core::lock::Transactions;
use sexton_core::tick::{Attempt, ConcurrencyIndex, Fence, Tick};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::run::{Run, States};

/// Something a handler can take as an argument.
///
/// Implement it for types of your own by building them from the arguments that exist:
///
/// ```
/// use sexton::{BuildContext, FromRun, MissingArgument, Run, State};
///
/// #[derive(Clone)]
/// struct Bucket(String);
///
/// /// Where this run writes its report.
/// struct ReportPath(String);
///
/// impl FromRun for ReportPath {
///     fn check(context: &BuildContext<'_>) -> Result<(), MissingArgument> {
///         State::<Bucket>::check(context)
///     }
///
///     fn from_run(run: &Run) -> Result<ReportPath, MissingArgument> {
///         let State(Bucket(name)) = State::from_run(run)?;
///         Ok(ReportPath(format!("{name}/{}", run.tick())))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}` as an argument",
    note = "arguments may be `Run`, `State<T>`, `Tick`, `Fence`, `Attempt`, `ConcurrencyIndex`, `CancellationToken`, `Tx<DB>`, or a type that implements `sexton::FromRun`"
)]
pub trait FromRun: Sized {
    /// Whether the argument can be had, asked when the scheduler is built, so that what is missing
    /// is found before anything starts.
    ///
    /// # Errors
    /// [`MissingArgument`]: a state that was not given to the scheduler, a transaction that the task does not have.
    fn check(context: &BuildContext<'_>) -> Result<(), MissingArgument> {
        let _ = context;
        Ok(())
    }

    /// The argument for this run.
    ///
    /// # Errors
    /// As [`FromRun::check`].
    fn from_run(run: &Run) -> Result<Self, MissingArgument>;
}

/// Holds what a task's handler may ask for, when the scheduler is built: the states that were given to
/// the scheduler, and transactions.
#[derive(Debug)]
pub struct BuildContext<'a> {
    pub(crate) states: &'a States,
    /// Of the task's lock manager, if its delivery is transactional.
    transactions: Option<Arc<dyn Transactions>>,
    pub(crate) takes_transaction: Cell<bool>,
}

impl<'a> BuildContext<'a> {
    /// What begins the task's transactions, for an argument that takes one: a handler without such an argument is refused where the
    /// delivery is transactional.
    ///
    /// # Errors
    /// [`MissingArgument::NotTransactional`].
    pub fn take_transaction(&self) -> Result<&dyn Transactions, MissingArgument> {
        self.takes_transaction.set(true);
        let transactions = self.transactions.as_deref();
        transactions.ok_or(MissingArgument::NotTransactional)
    }

    pub(crate) fn new(
        states: &'a States,
        transactions: Option<Arc<dyn Transactions>>,
    ) -> BuildContext<'a> {
        BuildContext {
            states,
            transactions,
            takes_transaction: Cell::new(false),
        }
    }
}

/// A handler asks for something that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MissingArgument {
    /// A state that was not given to the scheduler.
    #[error(
        "the handler takes State<{type_name}>, but no such state was given: add .state(…) to the scheduler's builder"
    )]
    State {
        /// The state's type.
        type_name: &'static str,
    },
    /// A transaction, of a task that has none.
    #[error(
        "the handler takes a transaction, which only a task with transactional delivery has: add .transactional(…) to the task"
    )]
    NotTransactional,
    /// A transaction of another kind of database than the one that keeps the task's locks.
    #[error("the handler takes Tx<{wanted}>, but the task's locks are kept in {found}")]
    Database {
        /// What the handler takes.
        wanted: &'static str,
        /// What there is.
        found: &'static str,
    },
}

/// A value that was given to the scheduler by [`state`](crate::SchedulerBuilder::state), cloned for each run.
#[derive(Debug, Clone, Copy)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromRun for State<T> {
    fn check(context: &BuildContext<'_>) -> Result<(), MissingArgument> {
        if context.states.has::<T>() {
            Ok(())
        } else {
            Err(MissingArgument::State {
                type_name: std::any::type_name::<T>(),
            })
        }
    }

    fn from_run(run: &Run) -> Result<State<T>, MissingArgument> {
        let missing = MissingArgument::State {
            type_name: std::any::type_name::<T>(),
        };
        run.states().get().map(State).ok_or(missing)
    }
}

macro_rules! from_run {
    ($($type:ty: $run:ident => $value:expr;)*) => {$(
        impl FromRun for $type {
            fn from_run($run: &Run) -> Result<$type, MissingArgument> {
                Ok($value)
            }
        }
    )*};
}

from_run! {
    Run: run => run.clone();
    Tick: run => run.tick();
    Fence: run => run.fence();
    Attempt: run => run.attempt();
    ConcurrencyIndex: run => run.index();
    CancellationToken: run => run.cancellation().clone();
}
