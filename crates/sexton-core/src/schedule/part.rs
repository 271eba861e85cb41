//! Pieces of an expression that know where they stand in it, so that an error can say so.

use super::error::ScheduleError;

/// The longest expression of any language, in bytes. Whatever is longer is refused unread.
pub const EXPRESSION_BYTES_MAX: usize = 256;

/// A piece of an expression.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    language: &'static str,
    expression: &'a str,
    name: &'static str,
    at: usize,
    pub(super) text: &'a str,
}

impl<'a> Part<'a> {
    /// A whole expression, not longer than allowed.
    pub(super) fn whole(
        language: &'static str,
        expression: &'a str,
    ) -> Result<Part<'a>, ScheduleError> {
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(ScheduleError::TooLong {
                language,
                found: expression.len(),
                max: EXPRESSION_BYTES_MAX,
                start: expression.chars().take(32).collect(),
            });
        }
        Ok(Part {
            language,
            expression,
            name: "expression",
            at: 0,
            text: expression,
        })
    }

    pub(super) fn named(self, name: &'static str) -> Part<'a> {
        Part { name, ..self }
    }

    /// The words between white space.
    pub(super) fn words(self) -> impl Iterator<Item = Part<'a>> {
        self.text
            .split_ascii_whitespace()
            .map(move |word| self.piece(word))
    }

    /// The items between commas, none of them empty unless the text has an empty one.
    pub(super) fn items(self) -> impl Iterator<Item = Part<'a>> {
        self.text.split(',').map(move |item| self.piece(item))
    }

    pub(super) fn split_once(self, separator: char) -> Option<(Part<'a>, Part<'a>)> {
        let (left, right) = self.text.split_once(separator)?;
        Some((self.piece(left), self.piece(right)))
    }

    /// Without white space at its ends.
    pub(super) fn trimmed(self) -> Part<'a> {
        self.piece(self.text.trim_ascii())
    }

    /// What stands behind this beginning, in either case of letters.
    pub(super) fn strip_start(self, beginning: &str) -> Option<Part<'a>> {
        let (left, right) = self.text.split_at_checked(beginning.len())?;
        left.eq_ignore_ascii_case(beginning)
            .then(|| self.piece(right))
    }

    /// What stands before this ending, in either case of letters.
    pub(super) fn strip_end(self, ending: &str) -> Option<Part<'a>> {
        let start = self.text.len().checked_sub(ending.len())?;
        let (left, right) = self.text.split_at_checked(start)?;
        right.eq_ignore_ascii_case(ending).then(|| self.piece(left))
    }

    pub(super) fn is(self, text: &str) -> bool {
        self.text.eq_ignore_ascii_case(text)
    }

    /// The decimal number this is, if it is one of at most nine digits.
    pub(super) fn number(self) -> Option<u32> {
        let digits = !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit());
        if digits && self.text.len() <= 9 {
            self.text.parse().ok()
        } else {
            None
        }
    }

    /// `text` must be a slice of `self.text`.
    fn piece(self, text: &'a str) -> Part<'a> {
        let offset = (text.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Part {
            at: self.at + offset,
            text,
            ..self
        }
    }

    /// The error that this piece is not what is allowed here.
    pub(super) fn error(self, allowed: impl Into<Box<str>>) -> ScheduleError {
        ScheduleError::Part {
            language: self.language,
            expression: self.expression.into(),
            part: self.name,
            position: self.at,
            found: self.text.into(),
            allowed: allowed.into(),
        }
    }

    /// The error that the expression ends where something should follow.
    pub(super) fn missing(self, allowed: impl Into<Box<str>>) -> ScheduleError {
        Part {
            at: self.expression.len(),
            text: "",
            ..self
        }
        .error(allowed)
    }

    /// The error that this piece belongs beside the expression.
    pub(super) fn beside(self, advice: String) -> ScheduleError {
        ScheduleError::Beside {
            language: self.language,
            expression: self.expression.into(),
            found: self.text.into(),
            advice: advice.into(),
        }
    }

    pub(super) fn never_due(self, reason: &'static str) -> ScheduleError {
        let schedule = format!("{} {:?}", self.language, self.expression).into();
        ScheduleError::NeverDue { schedule, reason }
    }
}
