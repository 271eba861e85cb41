//! Secrets that are not to be seen in what a task says.
//!
//! This is best effort: a secret that a command prints in another form, or in pieces, is not found.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode_byte, utf8_percent_encode};

/// A shorter value may be a word that is no secret, and stand anywhere.
const SECRET_BYTES_MIN: usize = 8;
/// A shorter piece of a secret, at the place where an output was cut, may be anything.
const PIECE_BYTES_MIN: usize = 4;
const MASK: &str = "***";
/// What `encodeURIComponent` and most libraries leave as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What `urllib.parse.quote` of Python leaves as it is.
const UNRESERVED_AND_SLASH: &AsciiSet = &UNRESERVED.remove(b'/');
/// The shortest form is longer: that of the shortest secret in base64, without its first letters.
const KEY_BYTES: usize = 4;

/// Secrets, in the forms in which they are looked for. Shows none of them. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Masks {
    forms: Arc<BTreeSet<String>>,
    /// The forms by their first bytes, the longest first: a text is read once, however many there
    /// are.
    by_key: Arc<HashMap<[u8; KEY_BYTES], Vec<String>>>,
}

impl Masks {
    /// Masks these values, but for those that are too short.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Masks {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let secret = secret.trim();
            // A command may print a key of several lines line by line, indented.
            for part in std::iter::once(secret).chain(secret.lines().map(str::trim)) {
                if part.len() >= SECRET_BYTES_MIN {
                    forms.extend(forms_of(part));
                }
            }
        }
        Masks::of_forms(forms)
    }

    fn of_forms(forms: BTreeSet<String>) -> Masks {
        let mut by_key: HashMap<_, Vec<String>> = HashMap::new();
        for form in &forms {
            if let Some(key) = form.as_bytes().first_chunk() {
                by_key.entry(*key).or_default().push(form.clone());
            }
        }
        for of_key in by_key.values_mut() {
            of_key.sort_by_key(|form| Reverse(form.len()));
        }
        Masks {
            forms: Arc::new(forms),
            by_key: Arc::new(by_key),
        }
    }

    /// What either masks.
    #[must_use]
    pub fn and(&self, other: &Masks) -> Masks {
        if other.forms.is_subset(&self.forms) {
            return self.clone();
        }
        Masks::of_forms(self.forms.union(&other.forms).cloned().collect())
    }

    /// The text without the secrets; `None` if it has none of them.
    #[must_use]
    pub fn masked(&self, text: &str) -> Option<String> {
        if self.forms.is_empty() {
            return None;
        }
        // Those that overlap are one: of the second, nothing is left beside the first.
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, window) in text.as_bytes().windows(KEY_BYTES).enumerate() {
            let rest = &text.as_bytes()[at..];
            let longest = || {
                let of_key = self.by_key.get(window)?;
                of_key.iter().find(|form| rest.starts_with(form.as_bytes()))
            };
            let Some(form) = longest() else { continue };
            let end = at + form.len();
            match found.last_mut().filter(|last| at < last.end) {
                Some(last) => last.end = last.end.max(end),
                None => found.push(at..end),
            }
        }
        if found.is_empty() {
            return None;
        }
        let mut masked = String::with_capacity(text.len());
        let mut begin = 0;
        for secret in found {
            masked.push_str(&text[begin..secret.start]);
            masked.push_str(MASK);
            begin = secret.end;
        }
        masked.push_str(&text[begin..]);
        Some(masked)
    }

    /// The same for a text whose beginning is missing, behind `head`: there may be the end of a
    /// secret.
    #[must_use]
    pub fn masked_behind(&self, head: &str, text: &str) -> Option<String> {
        let masked = self.masked(text);
        let seen = masked.as_deref().unwrap_or(text);
        let end_of = |form: &String| {
            let ends = form.char_indices().map(|(at, _)| &form[at..]);
            let mut ends = ends.skip(1).filter(|end| end.len() >= PIECE_BYTES_MIN);
            ends.find(|end| seen.starts_with(end)).map(str::len)
        };
        let piece = self.forms.iter().filter_map(end_of).max();
        match (piece, masked) {
            (Some(piece), masked) => {
                let seen = masked.as_deref().unwrap_or(text);
                Some(format!("{head}{MASK}{}", &seen[piece..]))
            }
            (None, Some(masked)) => Some(format!("{head}{masked}")),
            (None, None) => None,
        }
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masks({} forms)", self.forms.len())
    }
}

/// A value as it is, in base64, as a part of a URL, and within a string of JSON.
fn forms_of(secret: &str) -> impl Iterator<Item = String> + use<> {
    let mut forms = vec![secret.to_owned()];
    // Where a secret stands within what is encoded, as in `user:secret`, decides its letters.
    for before in 0..3 {
        let encoded = base64_behind(before, secret.as_bytes());
        forms.push(encoded.replace('+', "-").replace('/', "_"));
        forms.push(encoded);
    }
    for set in [UNRESERVED, UNRESERVED_AND_SLASH, NON_ALPHANUMERIC] {
        let encoded = utf8_percent_encode(secret, set).to_string();
        for encoded in [encoded.replace("%20", "+"), encoded] {
            forms.push(in_small_hex(&encoded));
            forms.push(encoded);
        }
    }
    let whole: String = secret.bytes().map(percent_encode_byte).collect();
    forms.push(in_small_hex(&whole));
    forms.push(whole);
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    for json in [in_ascii(&json), json] {
        forms.push(json.replace('/', "\\/"));
        forms.push(json);
    }
    forms.into_iter()
}

/// A string of JSON with every letter beyond ASCII escaped, as Python and PHP write it.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // A string takes all that is written to it.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The letters that depend on these bytes alone where `before` others stand in front of them.
fn base64_behind(before: usize, bytes: &[u8]) -> String {
    let bits = |at: usize| {
        let byte = at / 8;
        let set = byte.checked_sub(before).and_then(|byte| bytes.get(byte));
        set.map(|byte| byte >> (7 - at % 8) & 1)
    };
    let letters = (before + bytes.len()) * 8 / 6;
    let letter = |at: usize| {
        let value = (at * 6..at * 6 + 6).try_fold(0, |value, at| Some(value << 1 | bits(at)?))?;
        Some(char::from(BASE64[usize::from(value)]))
    };
    (0..letters).filter_map(letter).collect()
}

fn in_small_hex(encoded: &str) -> String {
    let mut small = String::with_capacity(encoded.len());
    let mut hex_left = 0;
    for letter in encoded.chars() {
        small.push(if hex_left > 0 {
            letter.to_ascii_lowercase()
        } else {
            letter
        });
        hex_left = if letter == '%' {
            2
        } else {
            usize::saturating_sub(hex_left, 1)
        };
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_its_usual_forms() {
        let masks = Masks::of(["s3cr&t/+é v4lue"]);
        // As `printf 's3cr&t/+é v4lue' | base64` and `printf 'bob:…' | base64` say.
        for (text, seen) in [
            ("a s3cr&t/+é v4lue b", "a *** b"),
            ("czNjciZ0LyvDqSB2NGx1ZQ==", "***Q=="),
            ("Basic Ym9iOnMzY3ImdC8rw6kgdjRsdWU=", "Basic Ym9iOn***U="),
            ("k=s3cr%26t%2F%2B%C3%A9%20v4lue&l", "k=***&l"),
            ("k=s3cr%26t%2f%2b%c3%a9+v4lue&l", "k=***&l"),
        ] {
            assert_eq!(masks.masked(text).as_deref(), Some(seen), "{text}");
        }
        assert_eq!(masks.masked("s3cr and v4lue"), None);
        let other = Masks::of(["v4lue, and more"]);
        let both = masks.and(&other);
        let overlapping = both.masked("a s3cr&t/+é v4lue, and more b");
        assert_eq!(overlapping.as_deref(), Some("a *** b"));
        assert_eq!(both.and(&masks), both);
        assert_eq!(Masks::of(["short"]).masked("a short text"), None);
        assert!(!format!("{masks:?}").contains("s3cr"));
    }

    #[test]
    fn a_key_of_several_lines_and_the_end_of_a_secret_are_masked() {
        let masks = Masks::of(["first-line-of-it\nsecond-line-of-it\n"]);
        let said = masks.masked("  second-line-of-it\n  first-line-of-it");
        assert_eq!(said.as_deref(), Some("  ***\n  ***"));
        let said = masks.masked_behind("[cut]\n", "ne-of-it, and more");
        assert_eq!(said.as_deref(), Some("[cut]\n***, and more"));
        assert_eq!(masks.masked_behind("[cut]\n", "it, and more"), None);
    }
}
