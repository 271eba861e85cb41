//! How a line for people looks: on a terminal, in a file, in the journal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use jiff::Zoned;
use rustix::fs::fstat;

use crate::environment::Environment;

/// What kind of news a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// The beginning and the end of something.
    Strong,
    /// Nothing that anybody needs to look at.
    Quiet,
    /// A success.
    Good,
    /// Unusual, and perhaps as it should be.
    Odd,
    /// A failure.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Strong => Style::new().bold(),
            Tone::Quiet => Style::new().dimmed(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Odd => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
        }
    }

    /// The severity as [syslog(3)](https://man7.org/linux/man-pages/man3/syslog.3.html) counts it.
    fn priority(self) -> u8 {
        match self {
            Tone::Strong => 5,
            Tone::Quiet | Tone::Good => 6,
            Tone::Odd => 4,
            Tone::Bad => 3,
        }
    }
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The time of day, and colours if the terminal has them.
    Terminal {
        /// Whether it has.
        has_colours: bool,
    },
    /// The date too, with the offset from UTC (RFC 3339).
    File,
    /// A priority before each line
    /// ([sd-daemon(3)](https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html)),
    /// and no time: the journal has it.
    Journal,
}

impl Form {
    pub(super) fn of_stdout(environment: &Environment) -> Form {
        if io::stdout().is_terminal() {
            return Form::Terminal {
                has_colours: allows_colours(environment),
            };
        }
        match environment.text("JOURNAL_STREAM") {
            Some(stream) if is_stdout(stream) => Form::Journal,
            _ => Form::File,
        }
    }

    /// The text's lines, with their ends; those after the first are indented.
    pub(super) fn lines(self, now: &Zoned, tone: Tone, text: &str) -> String {
        let (time, paint) = match self {
            Form::Terminal { has_colours } => (now.strftime("%H:%M:%S%.3f "), has_colours),
            Form::File => (now.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z "), false),
            Form::Journal => (now.strftime(""), false),
        };
        let time = time.to_string();
        let indent = " ".repeat(time.len());
        let mut lines = String::new();
        for (number, part) in text.lines().enumerate() {
            let before = if number == 0 { &time } else { &indent };
            if self == Form::Journal {
                let _ = write!(lines, "<{}>", tone.priority());
            }
            if paint {
                let (quiet, style) = (Tone::Quiet.style(), tone.style());
                let _ = writeln!(lines, "{quiet}{before}{quiet:#}{style}{part}{style:#}");
            } else {
                let _ = writeln!(lines, "{before}{part}");
            }
        }
        lines
    }
}

/// Whether a terminal may get colours: `NO_COLOR` is not set (<https://no-color.org>), and the
/// terminal is not a dumb one.
pub(crate) fn allows_colours(environment: &Environment) -> bool {
    environment.text("NO_COLOR").is_none() && environment.text("TERM") != Some("dumb")
}

/// Whether this is standard output, as systemd names streams: `DEVICE:INODE`.
fn is_stdout(stream: &str) -> bool {
    fstat(io::stdout()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_its_reader_needs() {
        let now: Zoned = "2026-12-24T18:00:00.5+01:00[Europe/Paris]".parse().unwrap();
        let lines = |form: Form| form.lines(&now, Tone::Odd, "one\ntwo");
        let terminal = |has_colours| Form::Terminal { has_colours };
        assert_eq!(
            lines(terminal(false)),
            "18:00:00.500 one\n             two\n"
        );
        assert!(lines(terminal(true)).starts_with("\u{1b}[2m18:00:00.500 \u{1b}[0m\u{1b}[33mone"));
        assert!(lines(Form::File).starts_with("2026-12-24T18:00:00.500+01:00 one\n  "));
        assert_eq!(lines(Form::Journal), "<4>one\n<4>two\n");
    }
}
