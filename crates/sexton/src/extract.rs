//! Arguments of handlers: anything that can be had from a [`Run`].

use sexton_core::tick::{Attempt, ConcurrencyIndex, Fence, Tick};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::run::{Run, States};

/// Something a handler can take as an argument.
///
/// Implement it for types of your own by building them from the arguments that exist:
///
/// ```
/// use sexton::{FromRun, MissingState, Registered, Run, State};
///
/// #[derive(Clone)]
/// struct Bucket(String);
///
/// /// Where this run writes its report.
/// struct ReportPath(String);
///
/// impl FromRun for ReportPath {
///     fn check(registered: &Registered<'_>) -> Result<(), MissingState> {
///         State::<Bucket>::check(registered)
///     }
///
///     fn from_run(run: &Run) -> Result<ReportPath, MissingState> {
///         let State(Bucket(name)) = State::from_run(run)?;
///         Ok(ReportPath(format!("{name}/{}", run.tick())))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}` as an argument",
    note = "arguments may be `Run`, `State<T>`, `Tick`, `Fence`, `Attempt`, `ConcurrencyIndex`, `CancellationToken`, or a type that implements `sexton::FromRun`"
)]
pub trait FromRun: Sized {
    /// Whether the argument can be had, asked when the scheduler is built, so that what is missing
    /// is found before anything starts.
    ///
    /// # Errors
    /// [`MissingState`] for a state that was not given to the scheduler.
    fn check(registered: &Registered<'_>) -> Result<(), MissingState> {
        let _ = registered;
        Ok(())
    }

    /// The argument for this run.
    ///
    /// # Errors
    /// As [`FromRun::check`].
    fn from_run(run: &Run) -> Result<Self, MissingState>;
}

/// The states that were given to a scheduler.
#[derive(Debug)]
pub struct Registered<'a>(pub(crate) &'a States);

/// A handler asks for a state that was not given to the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the handler takes State<{type_name}>, but no such state was given: add .state(…) to the scheduler's builder"
)]
pub struct MissingState {
    type_name: &'static str,
}

/// A value that was given to the scheduler by [`state`](crate::SchedulerBuilder::state), cloned for each run.
#[derive(Debug, Clone, Copy)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromRun for State<T> {
    fn check(registered: &Registered<'_>) -> Result<(), MissingState> {
        if registered.0.has::<T>() {
            Ok(())
        } else {
            Err(MissingState {
                type_name: std::any::type_name::<T>(),
            })
        }
    }

    fn from_run(run: &Run) -> Result<State<T>, MissingState> {
        let missing = MissingState {
            type_name: std::any::type_name::<T>(),
        };
        run.states().get().map(State).ok_or(missing)
    }
}

macro_rules! from_run {
    ($($type:ty: $run:ident => $value:expr;)*) => {$(
        impl FromRun for $type {
            fn from_run($run: &Run) -> Result<$type, MissingState> {
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
