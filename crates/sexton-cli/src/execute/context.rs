//! What a command or a server is told of the run.

use sexton::Run;

/// The facts of a run, each with its name in a command's environment and its name as a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    facts: [(&'static str, &'static str, String); 7],
}

impl Context {
    /// The facts of this run.
    #[must_use]
    pub fn of(run: &Run) -> Context {
        Context {
            facts: [
                ("SEXTON_TASK", "sexton-task", run.task().to_string()),
                ("SEXTON_TICK", "sexton-tick", run.tick().to_string()),
                (
                    "SEXTON_CONCURRENCY_INDEX",
                    "sexton-concurrency-index",
                    run.index().get().to_string(),
                ),
                (
                    "SEXTON_CONCURRENCY",
                    "sexton-concurrency",
                    run.concurrency().get().to_string(),
                ),
                (
                    "SEXTON_FENCE",
                    "sexton-fence",
                    run.fence().get().to_string(),
                ),
                (
                    "SEXTON_ATTEMPT",
                    "sexton-attempt",
                    run.attempt().get().to_string(),
                ),
                (
                    "SEXTON_INSTANCE",
                    "sexton-instance",
                    run.instance().to_string(),
                ),
            ],
        }
    }

    /// As environment variables.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.facts
            .iter()
            .map(|(variable, _, value)| (*variable, value.as_str()))
    }

    /// As HTTP headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.facts
            .iter()
            .map(|(_, header, value)| (*header, value.as_str()))
    }
}
