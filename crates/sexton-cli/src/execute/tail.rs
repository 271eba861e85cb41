//! The end of what something says.

use std::collections::VecDeque;

use sexton::lock::Settlement;

/// Keeps the last bytes of what is pushed: as many as the history keeps.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: VecDeque<u8>,
    dropped: u64,
    /// How many bytes fewer, for what else is said.
    left: usize,
}

/// How the line ends that says that there was more.
const DROPPED: &str = " bytes before this were dropped]\n";
/// What the history keeps, less the line that says that there was more.
const BYTES_MAX: usize = Settlement::OUTPUT_BYTES_MAX - 64;

impl Tail {
    /// Keeps `left` bytes fewer than the history does.
    pub(super) fn leaving(left: usize) -> Tail {
        Tail {
            left,
            ..Tail::default()
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes_max = BYTES_MAX - self.left;
        let skipped = bytes.len().saturating_sub(bytes_max);
        self.bytes.extend(&bytes[skipped..]);
        let over = self.bytes.len().saturating_sub(bytes_max);
        self.bytes.drain(..over);
        self.dropped += (skipped + over) as u64;
    }

    /// As text; what is not UTF-8 becomes U+FFFD. `None` if nothing was said.
    pub(super) fn into_text(self) -> Option<String> {
        if self.bytes.is_empty() {
            return None;
        }
        let bytes: Vec<u8> = self.bytes.into();
        let is_inside = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let cut = if self.dropped > 0 {
            bytes.iter().take(3).take_while(is_inside).count()
        } else {
            0
        };
        let text = String::from_utf8_lossy(&bytes[cut..]);
        Some(match self.dropped + cut as u64 {
            0 => text.into_owned(),
            dropped => format!("[{dropped}{DROPPED}{text}"),
        })
    }
}

/// A text of a [`Tail`] in two: the line that says that there was more, if it begins with that.
pub(super) fn split_cut(text: &str) -> (&str, &str) {
    let head = text.split_inclusive('\n').next().unwrap_or("");
    match head.starts_with('[') && head.ends_with(DROPPED) {
        true => text.split_at(head.len()),
        false => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_whole_characters_and_the_loss_is_told() {
        let mut tail = Tail::default();
        assert_eq!(Tail::default().into_text(), None);
        tail.push(b"first\n");
        assert_eq!(
            Tail {
                bytes: b"x\xff".to_vec().into(),
                ..Tail::default()
            }
            .into_text()
            .unwrap(),
            "x\u{fffd}"
        );
        for _ in 0..100_000 {
            tail.push("é".as_bytes());
        }
        tail.push(b"!");
        let text = tail.into_text().unwrap();
        assert!(text.len() <= Settlement::OUTPUT_BYTES_MAX);
        let (told, rest) = text.split_once('\n').unwrap();
        assert_eq!(
            told,
            format!("[{} bytes before this were dropped]", 200_007 - rest.len())
        );
        assert!(rest.ends_with("éé!") && !rest.contains('\u{fffd}'));
    }

    #[test]
    fn one_piece_larger_than_all() {
        let mut tail = Tail::default();
        tail.push(&vec![b'a'; 1_000_000]);
        assert!(tail.into_text().unwrap().len() <= Settlement::OUTPUT_BYTES_MAX);
    }
}
