//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use sexton_core::name::is_format_character;

/// `text` with nothing in it that could move a cursor, change a colour or reorder what is read: a
/// tab becomes a space, other control characters and format characters, such as those of writing
/// direction, become their escapes (`\u{1b}`).
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => out.push(' '),
            character if needs_escape(character) => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// The beginning of a text of any length, for a message: at most `chars_max` characters, and a `…`
/// if there are more.
#[must_use]
pub fn brief(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// A JSON value as text, on one line, with the characters that [`visible`] escapes as `\u` escapes,
/// which mean the same to every reader of JSON.
#[must_use]
pub fn visible_json(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if !text.chars().any(needs_escape) {
        return text;
    }
    // Outside of strings JSON has none of these characters.
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if needs_escape(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// Control characters and format characters: what changes how a text is read, and is not seen.
fn needs_escape(character: char) -> bool {
    character.is_control() || is_format_character(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        assert_eq!(visible("plain é"), "plain é");
        assert_eq!(visible("a\tb\u{1b}[31m\r"), r"a b\u{1b}[31m\u{d}");
        assert_eq!(visible("\u{202e}evil"), r"\u{202e}evil");
        assert_eq!(visible("a\u{200b}\u{feff}b"), r"a\u{200b}\u{feff}b");
    }

    #[test]
    fn json_reads_back_as_it_was_and_shows_no_control_character() {
        let text = "plain é \u{9b}31m \u{7f} \u{ad} \u{2028} \u{e0001} \u{1f600} \n \" \\";
        let value = serde_json::json!({ "\u{202e}": [text] });
        let shown = visible_json(&value);
        assert!(!shown.chars().any(needs_escape), "{shown}");
        assert!(
            shown.contains("é") && shown.contains('\u{1f600}'),
            "{shown}"
        );
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn a_message_is_no_longer_than_it_should_be() {
        assert_eq!(brief("ééé", 3), "ééé");
        assert_eq!(brief("éééé", 3), "ééé…");
    }
}
