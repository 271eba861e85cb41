//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;

/// `text` with nothing in it that could move a cursor, change a colour or reorder what is read: a tab
/// becomes a space, other control characters and the Unicode controls of writing direction become
/// their escapes (`\u{1b}`).
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

/// The beginning of a text of any length, for a message: at most `chars_max` characters, and a `…` if there are more.
#[must_use]
pub fn brief(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

fn needs_escape(character: char) -> bool {
    let turns_direction = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns_direction || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        assert_eq!(visible("plain é"), "plain é");
        assert_eq!(visible("a\tb\u{1b}[31m\r"), r"a b\u{1b}[31m\u{d}");
        assert_eq!(visible("\u{202e}evil"), r"\u{202e}evil");
    }

    #[test]
    fn a_message_is_no_longer_than_it_should_be() {
        assert_eq!(brief("ééé", 3), "ééé");
        assert_eq!(brief("éééé", 3), "ééé…");
    }
}
