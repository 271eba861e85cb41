//! Wrapping a task's handler in tower layers.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, poll_fn};
use tower_service::Service;

use crate::extract::{BuildContext, MissingArgument};
use crate::handler::{AnyHandler, BoxError, Completion};
use crate::run::Run;

/// A task's handler as a [`Service`], for the layers of
/// [`ReadyTask::layer`](crate::ReadyTask::layer) to wrap.
///
/// What the handler answers, its failures included, is the response; the service itself never fails.
#[derive(Debug, Clone)]
pub struct HandlerService {
    handler: Arc<dyn AnyHandler>,
}

impl HandlerService {
    pub(crate) fn new(handler: Arc<dyn AnyHandler>) -> HandlerService {
        HandlerService { handler }
    }
}

impl Service<Run> for HandlerService {
    type Response = Completion;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Completion, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, run: Run) -> Self::Future {
        let handler = Arc::clone(&self.handler);
        Box::pin(async move { Ok(handler.call(&run).await) })
    }
}

/// A handler within layers.
pub(crate) struct Layered<S> {
    pub(crate) inner: Arc<dyn AnyHandler>,
    pub(crate) service: S,
}

impl<S> AnyHandler for Layered<S>
where
    S: Service<Run, Response = Completion> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn check(&self, context: &BuildContext<'_>) -> Result<(), MissingArgument> {
        self.inner.check(context)
    }

    fn call(&self, run: &Run) -> BoxFuture<'static, Completion> {
        let mut service = self.service.clone();
        let run = run.clone();
        Box::pin(async move {
            let ready = poll_fn(|context| service.poll_ready(context)).await;
            if let Err(error) = ready.map_err(Into::into) {
                return Completion::failed(error);
            }
            service.call(run).await.unwrap_or_else(Completion::failed)
        })
    }
}
