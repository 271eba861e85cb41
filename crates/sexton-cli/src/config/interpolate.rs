//! `${NAME}` and `${NAME:-default}` in the strings of a task file; `$$` is a dollar sign.
//!
//! An error here names the variable, and never a value.

use thiserror::Error;

use crate::environment::{Environment, Variable};
use crate::secret::Secret;
use crate::visible::brief;

/// The longest value that interpolation may make.
const VALUE_BYTES_MAX: usize = 256 * 1024;

/// The longest name of a variable.
const NAME_BYTES_MAX: usize = 256;
/// How much of what is no name is repeated, in characters.
const NAME_SHOWN_CHARS_MAX: usize = 64;

/// A string that could not be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum InterpolateError {
    #[error("the environment variable {name} is not set")]
    Missing { name: String },
    #[error("the environment variable {name} is not UTF-8 text")]
    NotText { name: String },
    #[error("`${{` without its `}}`")]
    Unclosed,
    #[error("`${{{name}}}` does not name an environment variable")]
    BadName { name: String },
    #[error("the value is longer than the {VALUE_BYTES_MAX} bytes that are allowed")]
    TooLong,
}

/// `written` with its variables filled in.
pub(crate) fn interpolate(
    written: &str,
    environment: &Environment,
) -> Result<Secret, InterpolateError> {
    if !written.contains('$') {
        return Ok(Secret::plain(written));
    }
    let mut value = String::with_capacity(written.len());
    let mut from_environment = false;
    let mut filled = Vec::new();
    let mut rest = written;
    while let Some(dollar) = rest.find('$') {
        value.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            value.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = after.find('}').ok_or(InterpolateError::Unclosed)?;
            match resolve(&after[..end], environment)? {
                Resolved::Variable(text) => {
                    value.push_str(text);
                    filled.push(text.to_owned());
                }
                Resolved::Default(text) => value.push_str(text),
            }
            from_environment = true;
            rest = &after[end + 1..];
        } else {
            value.push('$');
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(InterpolateError::TooLong);
        }
    }
    value.push_str(rest);
    Ok(if from_environment {
        Secret::resolved(written, value).filled_with(filled)
    } else {
        Secret::plain(value)
    })
}

/// The names of the variables that would be filled in.
pub(super) fn names(written: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = written;
    while let Some(dollar) = rest.find('$') {
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some((inner, after)) =
            rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        {
            let name = inner.split_once(":-").map_or(inner, |(name, _)| name);
            found.push(name.to_owned());
            rest = after;
        }
    }
    found
}

/// What is filled in, and where it comes from.
enum Resolved<'r> {
    Variable(&'r str),
    Default(&'r str),
}

fn resolve<'r>(
    inner: &'r str,
    environment: &'r Environment,
) -> Result<Resolved<'r>, InterpolateError> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well
        || name.len() > NAME_BYTES_MAX
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        let name = brief(name, NAME_SHOWN_CHARS_MAX).into_owned();
        return Err(InterpolateError::BadName { name });
    }
    let name = name.to_owned();
    match (environment.get(&name), default) {
        (Variable::Missing | Variable::Text(""), Some(default)) => Ok(Resolved::Default(default)),
        (Variable::Missing, None) => Err(InterpolateError::Missing { name }),
        (Variable::NotText, _) => Err(InterpolateError::NotText { name }),
        (Variable::Text(text), _) => Ok(Resolved::Variable(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(written: &str) -> Result<String, String> {
        let environment = Environment::of([("A", "1"), ("EMPTY", "")]);
        interpolate(written, &environment)
            .map(|secret| secret.expose().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn variables_defaults_and_dollars() {
        assert_eq!(value("x${A}y${A}").as_deref(), Ok("x1y1"));
        assert_eq!(
            value("${B:-d}${EMPTY:-e}${A:-f}${EMPTY}").as_deref(),
            Ok("de1")
        );
        assert_eq!(value("$$ $${A} $5 $").as_deref(), Ok("$ ${A} $5 $"));
        assert_eq!(value("${B:-}").as_deref(), Ok(""));
    }

    #[test]
    fn the_names_of_what_is_filled_in() {
        assert_eq!(names("x${A}$${B}$$${C:-${D}}$E ${F"), ["A", "C"]);
    }

    #[test]
    fn what_cannot_be_filled_in_is_named() {
        assert_eq!(
            value("${B}").unwrap_err(),
            "the environment variable B is not set"
        );
        assert_eq!(value("${A").unwrap_err(), "`${` without its `}`");
        assert_eq!(
            value("${9}").unwrap_err(),
            "`${9}` does not name an environment variable"
        );
    }
}
