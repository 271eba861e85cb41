//! What a task does: an `async fn` whose arguments are taken from its run.

use std::fmt;
use std::marker::PhantomData;

use futures::future::BoxFuture;
use sexton_core::lock::Outcome;

use crate::extract::{BuildContext, FromRun, MissingArgument};
use crate::run::Run;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Says how a handler ended: its outcome, its error and its output.
///
/// Most handlers return `()` or a `Result`, which become one; return a `Completion` itself to put
/// output into the history.
///
/// ```
/// use sexton::{Completion, Run};
///
/// async fn count_users(run: Run) -> Result<Completion, std::io::Error> {
///     let users = 42;
///     Ok(Completion::succeeded().with_output(format!("{users} users at {}", run.tick())))
/// }
/// ```
#[derive(Debug)]
pub struct Completion {
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<BoxError>,
    pub(crate) output: Option<String>,
    /// Whether its work may have begun.
    pub(crate) has_begun: bool,
}

impl Completion {
    fn of(outcome: Outcome, error: Option<BoxError>) -> Completion {
        Completion {
            outcome,
            error,
            output: None,
            has_begun: true,
        }
    }

    /// The handler did what it should.
    #[must_use]
    pub fn succeeded() -> Completion {
        Completion::of(Outcome::Succeeded, None)
    }

    /// The handler failed.
    #[must_use]
    pub fn failed(error: impl Into<BoxError>) -> Completion {
        Completion::of(Outcome::Failed, Some(error.into()))
    }

    /// The handler lacked something that passes, such as memory or file descriptors, and so its work
    /// has not begun at all.
    ///
    /// This costs neither a try nor an attempt. The handler is called again after a backoff, for as
    /// long as the task's lease. Then the execution is given back, and another instance may run it
    /// until its deadline. An instance that shuts down gives it back at once. Where an earlier try of the
    /// same run did begin, this is a failure like any other.
    ///
    /// ```
    /// use sexton::Completion;
    ///
    /// async fn dump() -> Result<Completion, std::io::Error> {
    ///     let mut child = match tokio::process::Command::new("pg_dump").spawn() {
    ///         Ok(child) => child,
    ///         Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => {
    ///             return Ok(Completion::not_begun(error));
    ///         }
    ///         Err(error) => return Err(error),
    ///     };
    ///     let status = child.wait().await?;
    ///     Ok(match status.success() {
    ///         true => Completion::succeeded(),
    ///         false => Completion::failed(status.to_string()),
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn not_begun(error: impl Into<BoxError>) -> Completion {
        Completion {
            has_begun: false,
            ..Completion::failed(error)
        }
    }

    /// The handler stopped because its run was [cancelled](Run::cancellation).
    #[must_use]
    pub fn cancelled() -> Completion {
        Completion::of(Outcome::Cancelled, None)
    }

    /// Adds what the handler said, for the history, which keeps its last 64 KiB.
    #[must_use]
    pub fn with_output(mut self, output: impl Into<String>) -> Completion {
        self.output = Some(output.into());
        self
    }

    /// Tells another error than the handler's, for the history: one without what is secret.
    #[must_use]
    pub fn with_error(mut self, error: impl Into<BoxError>) -> Completion {
        self.error = Some(error.into());
        self
    }

    /// What the handler said, if it said something.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_deref().map(|error| error as _)
    }

    /// The outcome. What has [not begun](Completion::not_begun) counts as failed.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

/// What a handler may return: `()`, a [`Completion`], or a `Result` of one of them with any error.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    note = "return `()`, `sexton::Completion`, or a `Result` of one of them with an error that converts into `Box<dyn Error + Send + Sync>`"
)]
pub trait IntoCompletion {
    /// Converts the value into how the handler ended.
    fn into_completion(self) -> Completion;
}

impl IntoCompletion for () {
    fn into_completion(self) -> Completion {
        Completion::succeeded()
    }
}

impl IntoCompletion for Completion {
    fn into_completion(self) -> Completion {
        self
    }
}

impl<T: IntoCompletion, E: Into<BoxError>> IntoCompletion for Result<T, E> {
    fn into_completion(self) -> Completion {
        match self {
            Ok(completion) => completion.into_completion(),
            Err(error) => Completion::failed(error),
        }
    }
}

/// Something that can run a task: an `async fn` or closure of up to eight arguments, each of which
/// is [`FromRun`].
///
/// ```
/// use sexton::{Fence, Run, State};
///
/// # #[derive(Clone)] struct Database;
/// async fn send_digest(run: Run, fence: Fence, State(db): State<Database>) -> Result<(), std::io::Error> {
///     // …
///     # let _ = (run, fence, db);
///     Ok(())
/// }
/// # fn takes<M>(handler: impl sexton::Handler<M>) {}
/// # takes(send_digest);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the handler of a task",
    note = "a handler is an `async fn` or a closure that returns a `Send` future; its arguments implement `sexton::FromRun` (`Run`, `State<T>`, `Tick`, …) and it returns `()`, `sexton::Completion`, or a `Result` of one of them"
)]
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// Whether all arguments can be had.
    ///
    /// # Errors
    /// [`MissingArgument`] for the first that cannot.
    fn check(&self, context: &BuildContext<'_>) -> Result<(), MissingArgument>;

    /// Runs the task.
    fn call(&self, run: &Run) -> BoxFuture<'static, Completion>;
}

macro_rules! handler {
    ($($argument:ident),*) => {
        impl<F, Fut, Out, $($argument,)*> Handler<(Out, $($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Out> + Send + 'static,
            Out: IntoCompletion,
            $($argument: FromRun,)*
        {
            #[allow(unused_variables, reason = "a handler may take no argument")]
            fn check(&self, context: &BuildContext<'_>) -> Result<(), MissingArgument> {
                $($argument::check(context)?;)*
                Ok(())
            }

            #[allow(unused_variables, non_snake_case, reason = "names are made by the macro")]
            fn call(&self, run: &Run) -> BoxFuture<'static, Completion> {
                $(
                    let $argument = match $argument::from_run(run) {
                        Ok(argument) => argument,
                        Err(missing) => return Box::pin(async move { Completion::failed(missing) }),
                    };
                )*
                let future = self($($argument),*);
                Box::pin(async move { future.await.into_completion() })
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, G);
handler!(A, B, C, D, E, G, H);
handler!(A, B, C, D, E, G, H, I);

/// A handler whose arguments' types are forgotten.
pub(crate) trait AnyHandler: Send + Sync {
    fn check(&self, context: &BuildContext<'_>) -> Result<(), MissingArgument>;
    fn call(&self, run: &Run) -> BoxFuture<'static, Completion>;
}

pub(crate) struct Erased<H, Arguments> {
    handler: H,
    arguments: PhantomData<fn(Arguments)>,
}

impl<H, Arguments> Erased<H, Arguments> {
    pub(crate) fn new(handler: H) -> Erased<H, Arguments> {
        Erased {
            handler,
            arguments: PhantomData,
        }
    }
}

impl<Arguments: 'static, H: Handler<Arguments>> AnyHandler for Erased<H, Arguments> {
    fn check(&self, context: &BuildContext<'_>) -> Result<(), MissingArgument> {
        self.handler.check(context)
    }

    fn call(&self, run: &Run) -> BoxFuture<'static, Completion> {
        self.handler.call(run)
    }
}

impl fmt::Debug for dyn AnyHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handler")
    }
}
