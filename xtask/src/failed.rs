//! Why a chore failed.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

/// Why a chore failed, and what to do about it.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    #[error("cannot start `{step}`: {cause}")]
    Start { step: String, cause: io::Error },
    #[error("cannot follow `{step}`: {cause}")]
    Follow { step: String, cause: io::Error },
    #[error("`{step}` failed: {status}")]
    Step { step: String, status: ExitStatus },
    #[error("stopped by signal {signal}; what was started has been stopped")]
    Interrupted { signal: i32 },
    #[error("cannot watch for signals: {cause}")]
    Signals { cause: io::Error },
    #[error("cannot {doing} {}: {cause}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    #[error(
        "could not be had: {names}{why}; to test what does not need it: cargo xtask test {flags}"
    )]
    Missing {
        names: String,
        why: String,
        flags: String,
    },
    #[error("{variable} names {}, which is no file; let it name {program}, or unset it", path.display())]
    Misnamed {
        variable: &'static str,
        path: PathBuf,
        program: &'static str,
    },
    #[error("{name} could not be had in {}: {why}", folder.display())]
    NoServer {
        name: &'static str,
        folder: PathBuf,
        why: Box<Failed>,
    },
    #[error("a server's root is made as root: debootstrap and chroot ask for it")]
    NotRoot,
    #[error(
        "a process may have no user and mount namespaces of its own here (`unshare --user --mount`), in which such a server starts"
    )]
    NoNamespaces,
    #[error("apt uses no mirror of a Debian here: name one by --mirror")]
    NoMirror,
    #[error("the suites on newer servers are chosen by nextest: cargo install cargo-nextest")]
    NoNextest,
    #[error("{count} things are not tidy:\n{list}")]
    Untidy { count: usize, list: String },
    #[error("{first}; and {second}")]
    Both {
        first: Box<Failed>,
        second: Box<Failed>,
    },
}

impl Failed {
    /// What the process answers: for a signal, what a shell would.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failed::Interrupted { signal } => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }
}

/// Two steps of which the second is worth running although the first failed.
pub(crate) fn both(first: Result<(), Failed>, second: Result<(), Failed>) -> Result<(), Failed> {
    match (first, second) {
        // What came of the second step after a signal says nothing more.
        (Err(interrupted @ Failed::Interrupted { .. }), _) => Err(interrupted),
        (Err(first), Err(second)) => Err(Failed::Both {
            first: Box::new(first),
            second: Box::new(second),
        }),
        (first, second) => first.and(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untidy(count: usize) -> Failed {
        Failed::Untidy {
            count,
            list: "x".to_owned(),
        }
    }

    #[test]
    fn of_two_failures_both_are_told() {
        assert!(both(Ok(()), Ok(())).is_ok());
        assert!(both(Err(untidy(1)), Ok(())).is_err());
        assert!(both(Ok(()), Err(untidy(1))).is_err());
        let told = both(Err(untidy(1)), Err(untidy(2)))
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("1 things") && told.contains("; and 2 things"),
            "{told}"
        );
    }

    #[test]
    fn a_signal_is_answered_as_a_shell_does() {
        let stopped = both(Err(Failed::Interrupted { signal: 2 }), Err(untidy(1))).unwrap_err();
        assert_eq!(stopped.exit_code(), 130);
        assert_eq!(untidy(1).exit_code(), 1);
    }
}
