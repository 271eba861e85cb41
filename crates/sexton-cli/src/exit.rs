//! How the program ends: the one table of its exit codes, which `--help` and docs/exit-codes.md
//! show.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Well.
    Done,
    /// Something that it did has failed.
    Trouble,
    /// What it was given cannot be used. That was told on standard error.
    BadInput,
    /// The store cannot be reached.
    StoreAway,
    /// The store was reached, and cannot be used as it is.
    StoreRefuses,
}

/// The codes, for `--help`.
pub(crate) const TABLE: &str = "Exit codes:\n  \
    0  done, or stopped as asked\n  \
    1  something failed: a run was cut off, a triggered task did not succeed\n  \
    2  what was given cannot be used: arguments, task file, crontab, URL\n  \
    3  the store cannot be reached; try again\n  \
    4  the store cannot be used: it is read-only, refuses the user, has no or other tables";

impl Exit {
    /// Of a store that failed: whether the same may go through later.
    pub(crate) fn of_store(is_transient: bool) -> Exit {
        if is_transient {
            Exit::StoreAway
        } else {
            Exit::StoreRefuses
        }
    }

    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Trouble => 1,
            Exit::BadInput => 2,
            Exit::StoreAway => 3,
            Exit::StoreRefuses => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_code_here_and_in_the_docs() {
        let page = include_str!("../../../docs/exit-codes.md");
        let all = [
            Exit::Done,
            Exit::Trouble,
            Exit::BadInput,
            Exit::StoreAway,
            Exit::StoreRefuses,
        ];
        for exit in all {
            let code = exit.code();
            assert!(TABLE.contains(&format!("\n  {code}  ")), "{exit:?}");
            assert!(page.contains(&format!("\n| {code} |")), "{exit:?}");
        }
    }
}
