//! Versions of the IANA time zone database.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How much of a file is read to find the version in it, in bytes.
const HEAD_BYTES: u64 = 200;

/// A version: a year and letters, `2025b`. Later ones are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    year: u16,
    /// After `z` comes `za`, which the order of texts agrees with.
    letters: String,
}

impl Version {
    /// Reads what begins with a version. What follows it (`-rearguard`, `-dirty`) says how the data
    /// were made, not how old they are.
    pub(super) fn parse(text: &str) -> Option<Version> {
        let (year, rest) = text.split_at_checked(4)?;
        let is_year = year.bytes().all(|byte| byte.is_ascii_digit());
        let letters = rest.split(|letter: char| !letter.is_ascii_lowercase());
        let letters = letters.into_iter().next().filter(|text| !text.is_empty())?;
        Some(Version {
            year: year.parse().ok().filter(|_| is_year)?,
            letters: letters.to_owned(),
        })
    }

    /// The version of the data in a folder, if it says so: by the first line of `tzdata.zi`
    /// (`# version 2025b`), or in `+VERSION`.
    pub(super) fn of_folder(folder: &Path) -> Option<Version> {
        let source = head(&folder.join("tzdata.zi"));
        let named = source.as_deref().and_then(|text| {
            let first = text.lines().next()?;
            Version::parse(first.strip_prefix("# version ")?.trim())
        });
        named.or_else(|| Version::parse(head(&folder.join("+VERSION"))?.trim()))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.year, self.letters)
    }
}

fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEAD_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let order = ["1999a", "2025b", "2025c", "2025z", "2025za", "2026a"];
        let versions = order.map(|text| Version::parse(text).unwrap());
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(versions.each_ref().map(ToString::to_string), order);
        assert_eq!(Version::parse("2025b-rearguard"), Version::parse("2025b"));
        for text in ["", "2025", "20b", "+025b", "latest", "2025B", "é25b"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
