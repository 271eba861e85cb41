//! One line of a crontab, taken apart.

use std::ops::Range;
use std::str;

use super::field::{is_blank, looks_like_a_field};
use super::form::Form;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    /// Blank.
    Nothing,
    /// What stands behind a `#`.
    Comment(&'t [u8]),
    /// `NAME=value`.
    Variable { name: &'t str, value: &'t [u8] },
    /// `@reboot …`.
    Reboot { when: Range<usize> },
    /// A time and a command.
    Timed(Timed<'t>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timed<'t> {
    /// The time's fields, or the nickname alone.
    pub(super) fields: Vec<&'t str>,
    /// Where they stand.
    pub(super) when: Range<usize>,
    /// The user, and where it stands.
    pub(super) user: Option<(&'t str, Range<usize>)>,
    /// The command, as it is written.
    pub(super) command: &'t [u8],
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
    pub(super) allowed: Option<&'static str>,
    pub(super) help: Option<&'static str>,
    /// Where, in bytes of the line.
    pub(super) at: Range<usize>,
}

const USER_FORM: &str = "minute hour day-of-month month day-of-week command, or NAME=value";
const SYSTEM_FORM: &str = "minute hour day-of-month month day-of-week user command, or NAME=value";
const SECONDS_HELP: &str = "schedules with seconds or years are for task files: `cron = \"0 30 9 * * MON-FRI\"`; \
     a program of such a name is run by its path";

/// Takes a line apart. What the fields mean is not looked at.
pub(super) fn parse(text: &[u8], form: Form) -> Result<Line<'_>, LineError> {
    let trimmed = text.trim_ascii_start();
    if trimmed.is_empty() {
        return Ok(Line::Nothing);
    }
    if let Some(comment) = trimmed.strip_prefix(b"#") {
        return Ok(Line::Comment(comment));
    }
    let start = text.len() - trimmed.len();
    let error = |message, at| LineError {
        message,
        allowed: None,
        help: None,
        at,
    };
    if text.contains(&0) {
        // No part of the line is shown: the byte may be anywhere in a command.
        let message = "a NUL byte cannot be passed on to a command";
        return Err(error(message, start..start));
    }
    if let Some((name, value)) = variable(trimmed) {
        let name = str::from_utf8(name).map_err(|_| {
            let message = "the name of a variable is not UTF-8 text";
            error(message, start..start + name.len())
        })?;
        return Ok(Line::Variable { name, value });
    }
    timed(text, start, form)
}

fn timed(text: &[u8], mut start: usize, form: Form) -> Result<Line<'_>, LineError> {
    let allowed = Some(match form {
        Form::User => USER_FORM,
        Form::System => SYSTEM_FORM,
    });
    // Of a line that is cut short no more is shown than its time, or its first word: it may be the
    // end of a command.
    let error = |message, at| LineError {
        message,
        allowed,
        help: None,
        at,
    };
    // SUSE's and Fedora's cron log nothing of a line that begins so.
    if let [b'-', next, ..] = text.get(start..).unwrap_or_default()
        && !is_blank(*next)
    {
        start += 1;
    }
    let mut words = Words { text, at: start };
    let is_nickname = text.get(start) == Some(&b'@');
    let mut fields = Vec::new();
    let mut when = start..start;
    for _ in 0..if is_nickname { 1 } else { 5 } {
        let (word, at) = words.next().ok_or_else(|| {
            let message = "the line is too short for a time and a command";
            let first = fields.first().map_or(0, |first: &&str| first.len());
            error(message, start..start + first)
        })?;
        fields.push(as_text(word, &at, "the time is not UTF-8 text", allowed)?);
        when.end = at.end;
    }
    let is_reboot = fields[0].eq_ignore_ascii_case("@reboot");
    let user = match form {
        Form::User => None,
        Form::System => {
            let (word, at) = words
                .next()
                .ok_or_else(|| error("the line names no user and no command", when.clone()))?;
            refuse_field(word, &at)?;
            let user = as_text(word, &at, "the user is not UTF-8 text", allowed)?;
            Some((user, at))
        }
    };
    let (command_word, at) = words
        .clone()
        .next()
        .ok_or_else(|| error("the line has no command", when.clone()))?;
    refuse_field(command_word, &at)?;
    if is_reboot {
        return Ok(Line::Reboot { when });
    }
    Ok(Line::Timed(Timed {
        fields,
        when,
        user,
        command: words.rest(),
    }))
}

fn as_text<'t>(
    word: &'t [u8],
    at: &Range<usize>,
    message: &'static str,
    allowed: Option<&'static str>,
) -> Result<&'t str, LineError> {
    str::from_utf8(word).map_err(|_| LineError {
        message,
        allowed,
        help: None,
        at: at.clone(),
    })
}

/// Refuses what stands where a command should, and looks like one field of a time too many: the
/// shell would expand a `*` to the files of a folder and run the first of them.
fn refuse_field(word: &[u8], at: &Range<usize>) -> Result<(), LineError> {
    if !looks_like_a_field(word) {
        return Ok(());
    }
    Err(LineError {
        message: "a crontab has five fields of time, and no command is called like this sixth",
        allowed: None,
        help: Some(SECONDS_HELP),
        at: at.clone(),
    })
}

#[derive(Clone)]
struct Words<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Words<'t> {
    fn skip_blanks(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().position(|byte| !is_blank(*byte));
        self.at += blanks.unwrap_or(rest.len());
    }

    fn next(&mut self) -> Option<(&'t [u8], Range<usize>)> {
        self.skip_blanks();
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().position(|byte| is_blank(*byte));
        let at = self.at..self.at + length.unwrap_or(rest.len());
        self.at = at.end;
        (!at.is_empty()).then(|| (self.text.get(at.clone()).unwrap_or_default(), at))
    }

    fn rest(mut self) -> &'t [u8] {
        self.skip_blanks();
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// `NAME=value`, `NAME = "value"`: a `=` behind one word or something in quotes. Like Debian's cron,
/// this asks little of the name, but what could begin a time is no name.
fn variable(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = match text.first()? {
        quote @ (b'"' | b'\'') => {
            let inner = text.get(1..)?;
            let end = inner.iter().position(|byte| byte == quote)?;
            (inner.get(..end)?, inner.get(end + 1..)?)
        }
        _ => {
            let end = text
                .iter()
                .position(|byte| is_blank(*byte) || *byte == b'=')?;
            text.split_at(end)
        }
    };
    let blanks = rest.iter().position(|byte| !is_blank(*byte))?;
    let value = rest.get(blanks..)?.strip_prefix(b"=")?;
    if matches!(name.first()?, b'0'..=b'9' | b'*' | b'@') {
        return None;
    }
    Some((name, unquoted(value.trim_ascii())))
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, form: Form) -> Result<Line<'_>, LineError> {
        super::parse(text.as_bytes(), form)
    }

    fn timed(text: &str, form: Form) -> (String, Option<&str>, &str) {
        match parse(text, form) {
            Ok(Line::Timed(timed)) => (
                timed.expression(),
                timed.user.as_ref().map(|(user, _)| *user),
                str::from_utf8(timed.command).unwrap(),
            ),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn message(text: &[u8], form: Form) -> &'static str {
        super::parse(text, form).unwrap_err().message
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
    fn a_minus_before_the_time_is_no_part_of_it() {
        assert_eq!(
            timed(" -*/15 * * * * root x", Form::System),
            ("*/15 * * * *".into(), Some("root"), "x")
        );
        assert_eq!(timed("-@daily x", Form::User), ("@daily".into(), None, "x"));
        assert_eq!(timed("- 2 3 4 5 x", Form::User).0, "- 2 3 4 5");
    }

    #[test]
    fn a_command_that_looks_like_a_sixth_field_is_refused() {
        let expected =
            "a crontab has five fields of time, and no command is called like this sixth";
        for text in [
            "* * * * * * * echo hi",
            "0 30 9 * * ? echo",
            "0 0 9 * * MON-FRI echo",
            "* * * * * 2026 echo",
            "* * * * * */5 echo",
            "@daily * echo",
        ] {
            assert_eq!(message(text.as_bytes(), Form::User), expected, "{text}");
        }
        assert_eq!(message(b"* * * * * root * x", Form::System), expected);
        assert_eq!(message(b"* * * * * * root x", Form::System), expected);
        for text in [
            "* * * * * /5 x",
            "* * * * * 7z x",
            "* * * * * mon x",
            "* * * * * [ -x y ]",
        ] {
            assert!(parse(text, Form::User).is_ok(), "{text}");
        }
    }

    #[test]
    fn variables_with_and_without_quotes_and_blanks() {
        let set = |name, value| Ok(Line::Variable { name, value });
        for text in [
            "A=b c",
            "A = b c",
            " A=\"b c\" ",
            "A='b c'",
            "\"A\" = b c",
            "A\t=\tb c",
        ] {
            assert_eq!(parse(text, Form::User), set("A", b"b c"), "{text}");
        }
        assert_eq!(parse("A=", Form::User), set("A", b""));
        assert_eq!(parse("a.b-c=1", Form::User), set("a.b-c", b"1"));
        assert_eq!(parse("A=\"b'", Form::User), set("A", b"\"b'"));
        let latin = super::parse(b"A=caf\xe9", Form::User);
        assert_eq!(latin, set("A", b"caf\xe9"));
    }

    #[test]
    fn comments_blanks_and_reboot() {
        for text in ["", "  \t", "\u{c}"] {
            assert_eq!(parse(text, Form::User), Ok(Line::Nothing), "{text:?}");
        }
        assert_eq!(parse("  # x", Form::User), Ok(Line::Comment(b" x")));
        let latin = super::parse(b"#\xe9\0", Form::User);
        assert_eq!(latin, Ok(Line::Comment(b"\xe9\0")));
        let reboot = Line::Reboot { when: 1..8 };
        assert_eq!(parse(" @reboot x", Form::User), Ok(reboot));
    }

    #[test]
    fn what_is_no_line_says_what_is_missing() {
        for (text, form, expected) in [
            (
                &b"* * *"[..],
                Form::User,
                "the line is too short for a time and a command",
            ),
            (b"* * * * *", Form::User, "the line has no command"),
            (b"@daily", Form::User, "the line has no command"),
            (b"@daily root", Form::System, "the line has no command"),
            (
                b"@daily",
                Form::System,
                "the line names no user and no command",
            ),
            (b"* * * * \xe9 x", Form::User, "the time is not UTF-8 text"),
            (b"@daily \xe9 x", Form::System, "the user is not UTF-8 text"),
            (
                b"\xe9=x",
                Form::User,
                "the name of a variable is not UTF-8 text",
            ),
            (
                b"@daily a\0",
                Form::User,
                "a NUL byte cannot be passed on to a command",
            ),
        ] {
            assert_eq!(message(text, form), expected, "{text:?}");
        }
    }
}
