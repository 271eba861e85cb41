//! Comments that are for Sexton: `# sexton: name = "backup"`, directly above a line.

use sexton_core::name::TaskName;
use toml::{Table, Value};

use super::name;

/// How such a comment begins, behind the `#` and blanks.
const MARK: &str = "sexton:";
/// What such a comment may say.
pub(super) const FORM: &str = "`# sexton: name = \"backup\"`, directly above the line of that name";

/// What a comment says of the line below it.
///
/// # Errors
/// What is wrong with a comment that is for Sexton. `Ok(None)` if it is not.
pub(super) fn parse(comment: &[u8]) -> Result<Option<TaskName>, String> {
    let Some(text) = comment.trim_ascii_start().strip_prefix(MARK.as_bytes()) else {
        return Ok(None);
    };
    let text = str::from_utf8(text).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let table: Table = text
        .parse()
        .map_err(|_| "it is not `key = \"value\"`".to_owned())?;
    if let Some(other) = table.keys().find(|key| *key != "name") {
        return Err(format!("it has no key `{other}`"));
    }
    match table.get("name") {
        Some(Value::String(name)) => name::given(name).map(Some),
        Some(_) => Err("the name is not a string".to_owned()),
        None => Err("it says nothing".to_owned()),
    }
}

/// Whether a comment looks as if it should name a line, and is not written so.
pub(super) fn is_misspelt(comment: &[u8]) -> bool {
    let text = String::from_utf8_lossy(comment).to_ascii_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '#');
    let Some(rest) = text.strip_prefix("sexton") else {
        return false;
    };
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ':');
    let key = rest.strip_prefix("name").map(str::trim_start);
    key.is_some_and(|key| key.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_for_sexton_names_a_line() {
        for comment in [
            " sexton: name = \"back up\"",
            "sexton:name='back up'",
            "\tsexton: name = \"back up\" # nightly",
        ] {
            let name = parse(comment.as_bytes()).unwrap().unwrap();
            assert_eq!(name.as_str(), "back up");
        }
        for comment in ["", " the sexton: name = \"x\"", " Sexton: x", "\u{e9}"] {
            assert_eq!(parse(comment.as_bytes()), Ok(None), "{comment}");
        }
    }

    #[test]
    fn a_comment_that_is_nearly_for_sexton_is_known() {
        for comment in [
            " Sexton: name = \"a\"",
            "SEXTON: name=\"a\"",
            " sexton name = \"a\"",
            "  sexton : name = \"a\"",
            "# sexton: name = \"a\"",
        ] {
            assert_eq!(parse(comment.as_bytes()), Ok(None), "{comment}");
            assert!(is_misspelt(comment.as_bytes()), "{comment}");
        }
        for comment in [
            "",
            " sexton runs this",
            " named = sexton",
            " sexton: backup",
        ] {
            assert!(!is_misspelt(comment.as_bytes()), "{comment}");
        }
    }

    #[test]
    fn what_else_is_said_in_such_a_comment_is_refused() {
        for (comment, expected) in [
            (&b"sexton:"[..], "it says nothing"),
            (b"sexton: backup", "it is not `key = \"value\"`"),
            (b"sexton: name = \"a\" x", "it is not `key = \"value\"`"),
            (b"sexton: nmae = \"a\"", "it has no key `nmae`"),
            (b"sexton: name = 3", "the name is not a string"),
            (b"sexton: name = \"\"", "task name is empty"),
            (
                b"sexton: name = \"sexton:x\"",
                "names that begin with `sexton:` are Sexton's own",
            ),
            (b"sexton: name = \"\xe9\"", "it is not UTF-8 text"),
        ] {
            assert_eq!(parse(comment).unwrap_err(), expected);
        }
    }
}
