//! One thing that is wrong, or suspicious.

use std::ops::Range;

/// Whether a problem keeps the file from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, though not all of it does what it seems to say.
    Warning,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it keeps the file from being used.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub message: String,
    /// Where in the source, in bytes.
    pub span: Range<usize>,
    /// Which task, as `task "digest"` or `task 3`.
    pub task: Option<String>,
    /// Which field, as a path: `http.accept[2]`.
    pub field: Option<String>,
    /// What was found there.
    pub found: Option<String>,
    /// What is allowed there.
    pub allowed: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the line is shown no further than the place: behind it may be a secret.
    pub hides_rest: bool,
}

impl Problem {
    /// An error at a place.
    #[must_use]
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            message: message.into(),
            span,
            task: None,
            field: None,
            found: None,
            allowed: None,
            help: None,
            hides_rest: false,
        }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Warning,
            ..Problem::error(span, message)
        }
    }

    /// Says which task, as `task "digest"`.
    #[must_use]
    pub fn of_task(mut self, task: Option<&str>) -> Problem {
        self.task = task.map(str::to_owned);
        self
    }

    /// Says which field.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> Problem {
        self.field = Some(field.into());
        self
    }

    /// Says what was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Problem {
        self.found = Some(found.into());
        self
    }

    /// Says what is allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: impl Into<String>) -> Problem {
        self.allowed = Some(allowed.into());
        self
    }

    /// Shows the line no further than the place.
    #[must_use]
    pub fn hiding_the_rest(mut self) -> Problem {
        self.hides_rest = true;
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}
