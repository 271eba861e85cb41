//! The parameters of a URL, behind its `?`.

use super::decode::decoded;
use super::error::UrlError;

/// A name that is longer is not repeated.
const NAME_BYTES_MAX: usize = 40;

/// A parameter that a store takes in its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    name: &'static str,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Any text.
    Text,
    /// A whole number of 32 bits.
    Number,
    /// One of these words, in either case.
    Word(&'static [&'static str]),
    /// Any text; also given as `NAME[KEY]=VALUE`, more than once.
    Map,
}

impl Parameter {
    /// A parameter whose value is any text.
    #[must_use]
    pub const fn text(name: &'static str) -> Parameter {
        let value = Value::Text;
        Parameter { name, value }
    }

    /// A parameter whose value is a whole number.
    #[must_use]
    pub const fn number(name: &'static str) -> Parameter {
        let value = Value::Number;
        Parameter { name, value }
    }

    /// A parameter whose value is one of these words.
    #[must_use]
    pub const fn word(name: &'static str, words: &'static [&'static str]) -> Parameter {
        let value = Value::Word(words);
        Parameter { name, value }
    }

    /// A parameter that may be given as `NAME[KEY]=VALUE`.
    #[must_use]
    pub const fn map(name: &'static str) -> Parameter {
        let value = Value::Map;
        Parameter { name, value }
    }

    fn is_named(&self, name: &str) -> bool {
        let is_entry = |rest: &str| rest.starts_with('[') && rest.ends_with(']');
        name == self.name
            || (self.value == Value::Map && name.strip_prefix(self.name).is_some_and(is_entry))
    }

    fn check(&self, value: &str) -> Result<(), UrlError> {
        let expected = match self.value {
            Value::Number if value.parse::<u32>().is_err() => "a whole number".to_owned(),
            Value::Word(words) if !words.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
                format!("one of {}", words.join(", "))
            }
            _ => return Ok(()),
        };
        let name = self.name;
        Err(UrlError::BadValue { name, expected })
    }
}

/// Names and values, decoded, in their order.
pub(super) fn read(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(UrlError::NoValue)?;
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

pub(super) fn check(parameters: &[(String, String)], known: &[Parameter]) -> Result<(), UrlError> {
    for (name, value) in parameters {
        let Some(parameter) = known.iter().find(|parameter| parameter.is_named(name)) else {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-[].".contains(&byte);
            let is_shown = name.len() <= NAME_BYTES_MAX && name.bytes().all(is_name);
            return Err(UrlError::UnknownParameter {
                name: is_shown.then(|| name.clone()),
                known: known.iter().map(|parameter| parameter.name).collect(),
            });
        };
        parameter.check(value)?;
    }
    Ok(())
}

pub(super) fn last<'p>(parameters: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let mut named = parameters.iter().rev();
    let found = named.find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}
