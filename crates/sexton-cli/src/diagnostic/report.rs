//! The problems of one file, collected.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::{Problem, Severity, Source, render};
use crate::visible::visible;

/// The most errors of one file that are told, and the most warnings.
const TOLD_MAX: usize = 1_000;

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Report {
    source: Source,
    problems: RefCell<Vec<Problem>>,
    errors: Cell<usize>,
    warnings: Cell<usize>,
}

impl Report {
    /// No problem yet.
    #[must_use]
    pub fn new(source: Source) -> Report {
        Report {
            source,
            problems: RefCell::default(),
            errors: Cell::new(0),
            warnings: Cell::new(0),
        }
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Adds a problem.
    pub fn push(&self, problem: Problem) {
        let count = match problem.severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        };
        count.set(count.get() + 1);
        if count.get() <= TOLD_MAX {
            self.problems.borrow_mut().push(problem);
        }
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Whether there are so many errors that no more are told: no need to look for them.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.errors.get() >= TOLD_MAX
    }

    /// What was read, with the warnings; or, if there was any error, all that is wrong.
    ///
    /// # Errors
    /// [`Rejected`] if any problem is an error.
    pub fn finish<T>(self, value: T) -> Result<(T, Vec<String>), Rejected> {
        let (errors, is_full) = (self.errors(), self.is_full());
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        let problems = problems.iter();
        let mut rendered: Vec<String> = problems
            .map(|problem| render::render(problem, &self.source))
            .collect();
        let untold = self.warnings.get().saturating_sub(TOLD_MAX);
        if untold > 0 {
            rendered.push(format!("warning: there are {untold} more warnings\n"));
        }
        if errors == 0 {
            return Ok((value, rendered));
        }
        let name = visible(self.source.name());
        rendered.push(match errors {
            _ if is_full => format!("{name}: at least {errors} errors; no more were looked for\n"),
            1 => format!("{name}: 1 error\n"),
            _ => format!("{name}: {errors} errors\n"),
        });
        let text = rendered.join("\n");
        Err(Rejected { text, errors })
    }
}

/// Everything that is wrong with a file, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    text: String,
    errors: usize,
}

impl Rejected {
    /// A rejection for one reason that lies in no line.
    #[must_use]
    pub fn whole(message: impl fmt::Display) -> Rejected {
        Rejected {
            text: format!("error: {}\n", visible(&message.to_string())),
            errors: 1,
        }
    }

    /// A rejection for what the warnings tell, taken together.
    #[must_use]
    pub(crate) fn by_warnings(warnings: &[String], message: &str) -> Rejected {
        let mut rendered = warnings.to_vec();
        rendered.push(format!("error: {}\n", visible(message)));
        Rejected {
            text: rendered.join("\n"),
            errors: 1,
        }
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Rejected {}
