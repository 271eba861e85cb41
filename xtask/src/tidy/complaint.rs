//! What a rule has against a file.

use std::fmt;

/// What a rule has against a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// From 1; 0 for the file as a whole.
    pub(super) line: usize,
    pub(super) what: String,
}

impl Complaint {
    pub(super) fn at(line: usize, what: impl Into<String>) -> Complaint {
        let what = what.into();
        Complaint { line, what }
    }

    pub(super) fn whole(what: impl Into<String>) -> Complaint {
        Complaint::at(0, what)
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, ": {}", self.what),
            line => write!(formatter, ":{line}: {}", self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_its_line() {
        assert_eq!(Complaint::at(3, "x").to_string(), ":3: x");
        assert_eq!(Complaint::whole("x").to_string(), ": x");
    }
}
