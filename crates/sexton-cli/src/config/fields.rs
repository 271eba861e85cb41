//! Tables of the file, read field by field; what nobody asked for is unknown.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Problem, Report};
use crate::environment::Environment;
use crate::tasks::Groups;
use crate::visible::brief;
use sexton_core::similar;

/// How much of a key is repeated in a message, in characters.
pub(super) const KEY_CHARS_MAX: usize = 60;

/// What every field of a file has in common.
#[derive(Clone)]
pub(super) struct Scope<'f> {
    pub(super) report: &'f Report,
    pub(super) environment: &'f Environment,
    /// The task that the fields belong to, as people call it: `task "digest"`.
    pub(super) task: Option<Rc<str>>,
    /// What the environment gave to fields of the file that may hold a secret.
    pub(super) secrets: Rc<RefCell<BTreeSet<String>>>,
    /// The groups that the file has.
    pub(super) groups: Rc<Groups>,
}

impl Scope<'_> {
    /// Adds a problem, with the task in it.
    pub(super) fn push(&self, problem: Problem) {
        self.report.push(problem.of_task(self.task.as_deref()));
    }
}

/// One value of the file.
#[derive(Clone)]
pub(super) struct Field<'f> {
    pub(super) scope: Scope<'f>,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'f DeValue<'f>,
}

/// A table of the file, and which of its fields were asked for.
pub(super) struct Fields<'f> {
    pub(super) scope: Scope<'f>,
    pub(super) span: Range<usize>,
    path: String,
    table: &'f DeTable<'f>,
    known: BTreeSet<&'static str>,
}

impl<'f> Fields<'f> {
    pub(super) fn new(
        scope: Scope<'f>,
        path: impl Into<String>,
        span: Range<usize>,
        table: &'f DeTable<'f>,
    ) -> Fields<'f> {
        Fields {
            scope,
            span,
            path: path.into(),
            table,
            known: BTreeSet::new(),
        }
    }

    /// The same table, in another scope.
    pub(super) fn in_scope(self, scope: Scope<'f>, path: String) -> Fields<'f> {
        Fields {
            scope,
            path,
            ..self
        }
    }

    /// The table itself, as the file has it.
    pub(super) fn table(&self) -> &'f DeTable<'f> {
        self.table
    }

    /// The text of the field `key` as it is written, if it is a string.
    pub(super) fn peek_text(&self, key: &str) -> Option<&'f str> {
        match self.table.get(key)?.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The field `key`, if the table has it. From now on the key is known.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Field<'f>> {
        self.known.insert(key);
        let value = self.table.get(key)?;
        Some(Field {
            scope: self.scope.clone(),
            path: self.path_of(key),
            span: value.span(),
            value: value.get_ref(),
        })
    }

    /// Every field, by key: for tables whose keys are the user's own.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (&'f str, Range<usize>, Field<'f>)> {
        let table: &'f DeTable<'f> = self.table;
        table.iter().map(move |(key, value)| {
            let field = Field {
                scope: self.scope.clone(),
                path: self.path_of(key.get_ref()),
                span: value.span(),
                value: value.get_ref(),
            };
            (key.get_ref().as_ref(), key.span(), field)
        })
    }

    /// A problem with the table as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        let problem = Problem::error(self.span.clone(), message);
        if self.path.is_empty() {
            problem
        } else {
            problem.in_field(self.path.clone())
        }
    }

    /// Reports every field that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.known.contains(name) {
                continue;
            }
            if self.scope.report.is_full() {
                break;
            }
            let known = self.known.iter().copied();
            let mut problem = Problem::error(
                key.span(),
                format!("unknown field `{}`", brief(name, KEY_CHARS_MAX)),
            )
            .in_field(self.path_of(name))
            .allowed(quoted(known.clone()));
            if let Some(meant) = similar::closest(name, known) {
                problem = problem.help(format!("did you mean `{meant}`?"));
            }
            self.scope.push(problem);
        }
    }

    fn path_of(&self, key: &str) -> String {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let mut key = brief(key, KEY_CHARS_MAX);
        if key.is_empty() || !key.chars().all(is_bare) {
            key = format!("{key:?}").into();
        }
        if self.path.is_empty() {
            key.into_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// What kind of value this is, with an article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// `a`, `b`, `c`
pub(super) fn quoted<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
