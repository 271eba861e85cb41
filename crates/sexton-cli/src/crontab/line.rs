//! One line of a crontab, taken apart.

use std::ops::Range;

use super::Form;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    /// Blank, or a comment.
    Nothing,
    /// `NAME=value`.
    Variable { name: &'t str, value: &'t str },
    /// `@reboot …`.
    Reboot,
    /// A time and a command.
    Timed(Timed<'t>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timed<'t> {
    /// The time's fields, or the nickname alone.
    fields: Vec<&'t str>,
    /// Where they stand.
    pub(super) when: Range<usize>,
    /// The user, and where it stands.
    pub(super) user: Option<(&'t str, Range<usize>)>,
    /// The command, as it is written.
    pub(super) command: &'t str,
}

impl Timed<'_> {
    /// The time as a cron expression.
    pub(super) fn expression(&self) -> String {
        self.fields.join(" ")
    }
}

/// A line that is none of these.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineError {
    pub(super) message: &'static str,
    pub(super) allowed: &'static str,
    /// Where.
    pub(super) at: Range<usize>,
}

const USER_FORM: &str = "minute hour day-of-month month day-of-week command, or NAME=value";
const SYSTEM_FORM: &str = "minute hour day-of-month month day-of-week user command, or NAME=value";

fn is_blank(character: char) -> bool {
    character == ' ' || character == '\t'
}

/// Takes a line apart. What the fields mean is not looked at.
pub(super) fn parse(text: &str, form: Form) -> Result<Line<'_>, LineError> {
    let allowed = match form {
        Form::User => USER_FORM,
        Form::System => SYSTEM_FORM,
    };
    let trimmed = text.trim_start_matches(is_blank);
    if trimmed.trim_end().is_empty() || trimmed.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(control) = text.find(|c: char| c.is_control() && c != '\t') {
        let message = "a control character does not belong in a crontab";
        let end = control + text[control..].chars().next().map_or(1, char::len_utf8);
        return Err(LineError {
            message,
            allowed,
            at: control..end,
        });
    }
    if let Some(variable) = variable(trimmed) {
        return Ok(variable);
    }
    let mut words = Words {
        text,
        at: text.len() - trimmed.len(),
    };
    let is_nickname = trimmed.starts_with('@');
    let start = words.at;
    let mut fields = Vec::new();
    let mut end = start;
    for _ in 0..if is_nickname { 1 } else { 5 } {
        let Some((word, at)) = words.next() else {
            let message = "the line is too short for a time and a command";
            return Err(LineError {
                message,
                allowed,
                at: start..text.trim_end().len(),
            });
        };
        fields.push(word);
        end = at.end;
    }
    let is_reboot = is_nickname && fields[0].eq_ignore_ascii_case("@reboot");
    let user = match form {
        Form::User => None,
        Form::System => Some(words.next().ok_or_else(|| LineError {
            message: "the line names no user and no command",
            allowed,
            at: start..text.trim_end().len(),
        })?),
    };
    let command = words.rest();
    if command.is_empty() {
        let message = "the line has no command";
        return Err(LineError {
            message,
            allowed,
            at: start..text.trim_end().len(),
        });
    }
    if is_reboot {
        return Ok(Line::Reboot);
    }
    Ok(Line::Timed(Timed {
        fields,
        when: start..end,
        user,
        command,
    }))
}

struct Words<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Words<'t> {
    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(is_blank).len();
    }

    fn next(&mut self) -> Option<(&'t str, Range<usize>)> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let length = rest.find(is_blank).unwrap_or(rest.len());
        if length == 0 {
            return None;
        }
        let at = self.at..self.at + length;
        self.at = at.end;
        Some((&rest[..length], at))
    }

    fn rest(mut self) -> &'t str {
        self.skip_blanks();
        &self.text[self.at..]
    }
}

/// `NAME=value`, `NAME = "value"`: a `=` behind one word or something in quotes. Like Debian's cron, this asks little of the
/// name, but what could begin a time is no name.
fn variable(text: &str) -> Option<Line<'_>> {
    let (name, rest) = match text.chars().next()? {
        quote @ ('"' | '\'') => text[1..].split_once(quote)?,
        _ => {
            let end = text.find(|c: char| is_blank(c) || c == '=')?;
            text.split_at(end)
        }
    };
    let value = rest.trim_start_matches(is_blank).strip_prefix('=')?;
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '*' | '@')) {
        return None;
    }
    Some(Line::Variable {
        name,
        value: unquoted(value.trim_matches(is_blank)),
    })
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(text: &str, form: Form) -> (String, Option<&str>, &str) {
        match parse(text, form) {
            Ok(Line::Timed(timed)) => (
                timed.expression(),
                timed.user.as_ref().map(|(user, _)| *user),
                timed.command,
            ),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_time_a_user_and_a_command() {
        let form = Form::User;
        assert_eq!(
            timed("*/5 * * * * echo  a b ", form),
            ("*/5 * * * *".into(), None, "echo  a b ")
        );
        assert_eq!(
            timed("\t1\t2 3  4 5\tx", form),
            ("1 2 3 4 5".into(), None, "x")
        );
        assert_eq!(timed("@daily x y", form), ("@daily".into(), None, "x y"));
        let form = Form::System;
        assert_eq!(
            timed("1 2 3 4 5 root x=1 y", form),
            ("1 2 3 4 5".into(), Some("root"), "x=1 y")
        );
        assert_eq!(
            timed("@hourly nobody x", form),
            ("@hourly".into(), Some("nobody"), "x")
        );
    }

    #[test]
    fn variables_with_and_without_quotes_and_blanks() {
        for text in [
            "A=b c",
            "A = b c",
            " A=\"b c\" ",
            "A='b c'",
            "\"A\" = b c",
            "A\t=\tb c",
        ] {
            assert_eq!(
                parse(text, Form::User),
                Ok(Line::Variable {
                    name: "A",
                    value: "b c"
                }),
                "{text}"
            );
        }
        assert_eq!(
            parse("A=", Form::User),
            Ok(Line::Variable {
                name: "A",
                value: ""
            })
        );
        let dotted = Line::Variable {
            name: "a.b-c",
            value: "1",
        };
        assert_eq!(parse("a.b-c=1", Form::User), Ok(dotted));
        assert_eq!(
            parse("A=\"b'", Form::User),
            Ok(Line::Variable {
                name: "A",
                value: "\"b'"
            })
        );
    }

    #[test]
    fn comments_blanks_and_reboot() {
        for text in ["", "  \t", "# x", "   #*"] {
            assert_eq!(parse(text, Form::User), Ok(Line::Nothing), "{text:?}");
        }
        assert_eq!(parse("@reboot x", Form::User), Ok(Line::Reboot));
    }

    #[test]
    fn what_is_no_line_says_what_is_missing() {
        let message = |text, form| parse(text, form).unwrap_err().message;
        assert_eq!(
            message("* * *", Form::User),
            "the line is too short for a time and a command"
        );
        assert_eq!(message("* * * * *", Form::User), "the line has no command");
        assert_eq!(message("@daily", Form::User), "the line has no command");
        assert_eq!(
            message("@daily root", Form::System),
            "the line has no command"
        );
        assert_eq!(
            message("@daily", Form::System),
            "the line names no user and no command"
        );
        assert_eq!(
            message("* * * * * a\u{7}", Form::User),
            "a control character does not belong in a crontab"
        );
    }
}
