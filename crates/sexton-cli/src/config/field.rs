//! One value of the file, read as what it should be.

use std::ops::RangeInclusive;
use std::time::Duration;

use sexton_core::similar;
use toml::de::DeValue;

use super::fields::{Field, Fields, kind, quoted};
use super::interpolate::{InterpolateError, interpolate};
use crate::diagnostic::Problem;
use crate::duration;
use crate::secret::{Secret, without_secrets};

/// How much of what was found is repeated in a message, in characters.
const FOUND_CHARS_MAX: usize = 60;
/// How much of it is looked at for what is secret.
const FOUND_BYTES_LOOKED_AT: usize = 4 * 1024;

/// Fields that secrets are written in, in `[defaults]` too. A folder or a name is none, and a mask
/// on it would hide what people need to see.
const MAY_BE_SECRET: [&str; 7] = [
    "command",
    "env",
    "stdin",
    "http.body",
    "http.headers",
    "http.proxy",
    "http.url",
];

fn may_be_secret(path: &str) -> bool {
    let path = path.strip_prefix("defaults.").unwrap_or(path);
    MAY_BE_SECRET.iter().any(|field| {
        let rest = path.strip_prefix(field);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// The choices by their words, for [`Field::word`] and [`Field::mode`].
pub(super) fn by_word<T: Copy, const N: usize>(
    choices: [T; N],
    word: impl Fn(T) -> &'static str,
) -> [(&'static str, T); N] {
    choices.map(|choice| (word(choice), choice))
}

impl<'f> Field<'f> {
    /// A problem with this value, which is shown as the file writes it.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::error(self.span.clone(), message)
            .in_field(self.path.clone())
            .found(self.found())
    }

    /// Reports a problem with this value.
    pub(super) fn reject(&self, message: impl Into<String>, allowed: impl Into<String>) {
        self.scope.push(self.problem(message).allowed(allowed));
    }

    /// Reports that `text`, which came from this value, is not what it should be. `detail` may
    /// quote the value, so it is told only if nothing of the value came from the environment.
    pub(super) fn reject_text(&self, text: &Secret, detail: &str, allowed: impl Into<String>) {
        let problem = if text.is_resolved() {
            self.problem("the value that the environment gives cannot be used")
                .help("the value is not shown, for it may be secret")
        } else {
            self.problem(detail)
        };
        self.scope.push(problem.allowed(allowed));
    }

    /// Reports that this value is of the wrong kind.
    pub(super) fn reject_kind(&self, allowed: impl Into<String>) {
        self.reject(
            format!("{} does not belong here", kind(self.value)),
            allowed,
        );
    }

    fn found(&self) -> String {
        let written = self.scope.report.source().slice(self.span.clone());
        let first = written.lines().next().unwrap_or("");
        // Masked before it is cut: where a password ends is not seen in a piece of a URL.
        let looked_at = &first[..first.floor_char_boundary(FOUND_BYTES_LOOKED_AT)];
        let shown = without_secrets(looked_at);
        let mut found: String = shown.chars().take(FOUND_CHARS_MAX).collect();
        if found.chars().count() < written.chars().take(FOUND_CHARS_MAX + 1).count() {
            found.push('…');
        }
        found
    }

    /// A string, with its variables filled in.
    pub(super) fn text(&self, allowed: &str) -> Option<Secret> {
        let written = self.verbatim(allowed)?;
        match interpolate(&written, self.scope.environment) {
            Ok(secret) => {
                if may_be_secret(&self.path) {
                    let mut secrets = self.scope.secrets.borrow_mut();
                    secrets.extend(secret.filled().iter().cloned());
                }
                Some(secret)
            }
            Err(error) => {
                let help = match &error {
                    InterpolateError::Missing { name } => {
                        format!("set {name}, or give a default: `${{{name}:-default}}`")
                    }
                    _ => "a dollar sign itself is written `$$`".to_owned(),
                };
                let form = "`${NAME}` or `${NAME:-default}`";
                self.scope
                    .push(self.problem(error.to_string()).allowed(form).help(help));
                None
            }
        }
    }

    /// A string as it stands, with nothing filled in.
    pub(super) fn verbatim(&self, allowed: &str) -> Option<String> {
        let DeValue::String(text) = self.value else {
            self.reject_kind(allowed);
            return None;
        };
        if text.contains('\0') {
            self.reject("a NUL character does not belong here", allowed);
            return None;
        }
        Some(text.clone().into_owned())
    }

    /// A whole number in `range`.
    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let allowed = format!("a whole number, {}..={}", range.start(), range.end());
        let DeValue::Integer(integer) = self.value else {
            self.reject_kind(allowed);
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.reject("the number is out of range", allowed);
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let names = || words.iter().map(|(word, _)| *word);
        let allowed = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let text = self.text(&allowed)?;
        let named = words.iter().find(|(word, _)| *word == text.expose());
        if let Some((_, meaning)) = named {
            return Some(*meaning);
        }
        if text.is_resolved() {
            self.reject_text(&text, "", allowed);
            return None;
        }
        let mut problem = self.problem("this word is not known here").allowed(allowed);
        if let Some(meant) = similar::closest(text.expose(), names()) {
            problem = problem.help(format!("did you mean \"{meant}\"?"));
        }
        self.scope.push(problem);
        None
    }

    /// A duration in `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (min, max) = (
            duration::display(*range.start()),
            duration::display(*range.end()),
        );
        let allowed = format!("{}, {min} to {max}", duration::FORM);
        let text = self.text(&allowed)?;
        match duration::parse(text.expose()) {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                self.reject_text(&text, "the duration is out of range", allowed);
                None
            }
            Err(detail) => {
                let detail = format!("this is not a duration that can be used: {detail}");
                self.reject_text(&text, &detail, allowed);
                None
            }
        }
    }

    /// A table.
    pub(super) fn table(&self, allowed: &str) -> Option<Fields<'f>> {
        let DeValue::Table(table) = self.value else {
            self.reject_kind(allowed);
            return None;
        };
        let (scope, path) = (self.scope.clone(), self.path.clone());
        Some(Fields::new(scope, path, self.span.clone(), table))
    }

    /// The elements of an array, or the value alone if it is none.
    pub(super) fn one_or_many(&self) -> Vec<Field<'f>> {
        let DeValue::Array(items) = self.value else {
            return vec![self.clone()];
        };
        items
            .iter()
            .enumerate()
            .map(|(index, item)| Field {
                scope: self.scope.clone(),
                path: format!("{}[{index}]", self.path),
                span: item.span(),
                value: item.get_ref(),
            })
            .collect()
    }

    /// The elements of an array that has at least one.
    pub(super) fn many(&self, allowed: &str) -> Option<Vec<Field<'f>>> {
        if !matches!(self.value, DeValue::Array(_)) {
            self.reject_kind(allowed);
            return None;
        }
        let items = self.one_or_many();
        if items.is_empty() {
            self.reject("the array is empty", allowed);
            return None;
        }
        Some(items)
    }

    /// A table, or a word that stands for a table with that `mode` and nothing else.
    pub(super) fn mode<T: Copy>(&self, words: &[(&str, T)]) -> Option<(T, Option<Fields<'f>>)> {
        if !matches!(self.value, DeValue::Table(_)) {
            return self.word(words).map(|mode| (mode, None));
        }
        let mut fields = self.table("a table")?;
        let Some(mode) = fields.get("mode") else {
            let names = quoted(words.iter().map(|(word, _)| *word));
            self.reject("`mode` is missing", format!("`mode` is one of {names}"));
            return None;
        };
        Some((mode.word(words)?, Some(fields)))
    }
}
