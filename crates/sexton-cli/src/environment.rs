//! The environment that the program was started in, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use sexton_core::schedule::zone::Database;

/// Environment variables, read once and handed to whatever needs them, so that tests can bring their
/// own. Shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    zones: Database,
}

/// What a variable is.
#[derive(Debug, PartialEq, Eq)]
pub enum Variable<'e> {
    /// Set to this text.
    Text(&'e str),
    /// Set, but to bytes that are not UTF-8.
    NotText,
    /// Not set.
    Missing,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Environment {
        Environment {
            variables: std::env::vars_os().collect(),
            zones: Database::default(),
        }
    }

    /// An environment of these variables.
    pub fn of<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Environment {
        let pairs = variables.into_iter();
        Environment {
            variables: pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            zones: Database::default(),
        }
    }

    /// The same environment with these time zone rules.
    #[must_use]
    pub fn with_zones(self, zones: Database) -> Environment {
        Environment { zones, ..self }
    }

    /// The time zone rules that count.
    #[must_use]
    pub fn zones(&self) -> &Database {
        &self.zones
    }

    /// The variable `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Variable<'_> {
        match self.variables.get(std::ffi::OsStr::new(name)) {
            None => Variable::Missing,
            Some(value) => value.to_str().map_or(Variable::NotText, Variable::Text),
        }
    }

    /// The variable `name`, if it is set to a text that is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Variable::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
