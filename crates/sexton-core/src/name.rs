//! Names and ids: of tasks, namespaces, managers, instances, their incarnations, and claims.
//!
//! A name that a store, a log or a terminal could misread never comes into being: length is
//! bounded, and control characters and format characters are refused here, once.

use std::fmt;
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use uuid::Uuid;

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("{what} is empty")]
    Empty {
        /// What kind of name.
        what: &'static str,
    },
    /// The name is longer than its kind allows.
    #[error("{what} is {found} bytes long, at most {max} are allowed: {start:?}…")]
    TooLong {
        /// What kind of name.
        what: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The longest allowed, in bytes.
        max: usize,
        /// How it begins.
        start: String,
    },
    /// The name begins with what is kept for Sexton's own.
    #[error("{what} begins with {prefix:?}, which is kept for sexton's own: {name:?}")]
    Reserved {
        /// What kind of name.
        what: &'static str,
        /// What it may not begin with.
        prefix: &'static str,
        /// The name.
        name: String,
    },
    /// The name holds what separates the parts of a store's keys, so that another name has the same
    /// keys.
    #[error(
        "{what} holds {separator:?}, which separates the parts of its lock's key: {name:?}; use {instead:?}, which has the same keys"
    )]
    Ambiguous {
        /// What kind of name.
        what: &'static str,
        /// What it may not hold.
        separator: &'static str,
        /// The name.
        name: String,
        /// The name that has the same keys.
        instead: String,
    },
    /// The name has a control character, a format character, or white space at an end.
    #[error("{what} has {character:?} at byte {position}, which is not allowed there: {name:?}")]
    BadCharacter {
        /// What kind of name.
        what: &'static str,
        /// The character.
        character: char,
        /// Its place in the name, in bytes.
        position: usize,
        /// The name.
        name: String,
    },
}

/// Whether a character changes how a text is read, and is not seen itself, such as those that turn
/// the direction of writing: the category Cf of Unicode 16, and the separators of lines and
/// paragraphs.
#[must_use]
pub fn is_format_character(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}'
    )
}

fn check(what: &'static str, max: usize, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > max {
        let start = name.chars().take(32).collect();
        return Err(NameError::TooLong {
            what,
            found: name.len(),
            max,
            start,
        });
    }
    let last = name
        .char_indices()
        .next_back()
        .map_or(0, |(position, _)| position);
    let bad = name.char_indices().find(|(position, character)| {
        character.is_control()
            || is_format_character(*character)
            || (character.is_whitespace() && (*position == 0 || *position == last))
    });
    match bad {
        Some((position, character)) => Err(NameError::BadCharacter {
            what,
            character,
            position,
            name: name.to_owned(),
        }),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest allowed, in bytes of UTF-8.
            pub const BYTES_MAX: usize = $max;

            /// # Errors
            /// [`NameError`] if the name is empty, too long, has a control character or a
            /// [format character](is_format_character), or begins or ends with white space.
            pub fn new(name: impl AsRef<str>) -> Result<$name, NameError> {
                let name = name.as_ref();
                check($what, $max, name)?;
                Ok($name(Arc::from(name)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// The name of a task, unique in its namespace: 1..=200 bytes, no control characters. Cheap to
    /// clone.
    ///
    /// ```
    /// use sexton_core::name::TaskName;
    ///
    /// assert_eq!(TaskName::new("send digest")?.as_str(), "send digest");
    /// assert!(TaskName::new("two\nlines").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    TaskName, "task name", 200
);
name_type!(
    /// Keeps the tasks of one service apart from another's in the same store: 1..=100 bytes, no
    /// control characters. Cheap to clone.
    Namespace, "namespace", 100
);
name_type!(
    /// The name by which a task chooses one of a scheduler's lock managers: 1..=100 bytes, no
    /// control characters. Cheap to clone.
    ManagerName, "manager name", 100
);
name_type!(
    /// The id of one running scheduler, which no other has while it runs: 1..=100 bytes, no control
    /// characters. Cheap to clone.
    InstanceId, "instance id", 100
);

impl TaskName {
    /// What the names of Sexton's own tasks begin with, and no other's.
    pub const OWN_PREFIX: &str = "sexton:";

    /// Whether it is the name of one of Sexton's own tasks.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.as_str().starts_with(TaskName::OWN_PREFIX)
    }
}

impl Default for Namespace {
    /// `default`.
    fn default() -> Namespace {
        Namespace(Arc::from("default"))
    }
}

impl Default for ManagerName {
    /// `default`. All share one text, for a million tasks may have it.
    fn default() -> ManagerName {
        static DEFAULT: OnceLock<Arc<str>> = OnceLock::new();
        ManagerName(Arc::clone(DEFAULT.get_or_init(|| Arc::from("default"))))
    }
}

impl InstanceId {
    /// An id that no other run has: random, and ordered by the time it was made.
    #[must_use]
    pub fn random() -> InstanceId {
        InstanceId(Arc::from(Uuid::now_v7().to_string()))
    }
}

/// The id of one claim. A claim that is sent again because its answer was lost keeps its id; that
/// is how the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(Uuid);

impl ClaimId {
    /// An id that no other claim has.
    #[must_use]
    pub fn random() -> ClaimId {
        ClaimId(Uuid::new_v4())
    }

    /// The id with these 128 bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> ClaimId {
        ClaimId(Uuid::from_u128(bits))
    }

    /// The id's 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl std::str::FromStr for ClaimId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<ClaimId, uuid::Error> {
        text.parse().map(ClaimId)
    }
}

/// Tells the runs of schedulers that have one id apart: random, and new with every start. A
/// scheduler that is started again under its id after a crash has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(Uuid);

impl Incarnation {
    /// One that nobody else has.
    #[must_use]
    pub fn random() -> Incarnation {
        Incarnation(Uuid::new_v4())
    }

    /// The one with these 128 bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Incarnation {
        Incarnation(Uuid::from_u128(bits))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl std::str::FromStr for Incarnation {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Incarnation, uuid::Error> {
        text.parse().map(Incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_store_or_terminal_could_misread_are_refused() {
        assert_eq!(
            TaskName::new("").unwrap_err().to_string(),
            "task name is empty"
        );
        assert!(TaskName::new("a\u{1b}[31m").is_err());
        for hidden in [
            "\u{feff}x",
            "x\u{202e}",
            "a\u{200b}b",
            "a\u{2028}b",
            "\u{e0041}",
        ] {
            assert!(TaskName::new(hidden).is_err(), "{hidden:?}");
        }
        assert!(TaskName::new(" padded").is_err());
        assert!(TaskName::new("padded ").is_err());
        assert!(TaskName::new("x".repeat(201)).is_err());
        assert!(TaskName::new("x".repeat(200)).is_ok());
        assert!(TaskName::new("a-***-b:{c}").is_ok());
    }

    #[test]
    fn random_ids_differ() {
        assert_ne!(InstanceId::random(), InstanceId::random());
    }
}
