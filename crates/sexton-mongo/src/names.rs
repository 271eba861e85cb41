//! What the collections are called.

use crate::open_error::OpenError;

/// What the names of all collections begin with by default.
pub(crate) const PREFIX: &str = "sexton_";
const PREFIX_BYTES_MAX: usize = 40;

/// The collections' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) layout: String,
    pub(crate) registers: String,
    pub(crate) executions: String,
    pub(crate) reservations: String,
    pub(crate) tasks: String,
    pub(crate) instances: String,
}

impl Names {
    /// # Errors
    /// [`OpenError::BadName`]
    pub(crate) fn new(prefix: &str) -> Result<Names, OpenError> {
        let bad = |problem| OpenError::BadName {
            what: "collection prefix",
            name: prefix.to_owned(),
            problem,
        };
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err(bad("it has more than 40 bytes"));
        }
        if !prefix.chars().all(is_plain) || prefix.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(bad(
                "only a-z, 0-9 and _ are allowed, and no digit at the beginning",
            ));
        }
        let named = |collection: &str| format!("{prefix}{collection}");
        Ok(Names {
            layout: named("layout"),
            registers: named("registers"),
            executions: named("executions"),
            reservations: named("reservations"),
            tasks: named("tasks"),
            instances: named("instances"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_plain_and_short() {
        assert_eq!(Names::new("bells_").unwrap().registers, "bells_registers");
        assert_eq!(Names::new("").unwrap().registers, "registers");
        for bad in ["system.", "1a", "A", "$", &"x".repeat(41)] {
            assert!(Names::new(bad).is_err(), "{bad}");
        }
    }
}
