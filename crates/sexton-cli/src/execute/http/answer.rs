//! Reads an answer up to a bound, and knows what it has not read.

use reqwest::Response;

use crate::execute::tail::Tail;

/// What of an answer was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    Nothing,
    /// This number of bytes at its end, by the length that the server gave.
    Last(u64),
    /// All behind this number of bytes.
    Behind(u64),
}

impl Unread {
    /// For the end of the output.
    pub(super) fn note(self) -> String {
        match self {
            Unread::Nothing => String::new(),
            Unread::Last(count) => format!("\n[the last {count} bytes were not read]"),
            Unread::Behind(read) => {
                format!("\n[more than {read} bytes: the rest was not read]")
            }
        }
    }
}

/// Reads at most `bytes_max` bytes. What is behind them is never asked for: the connection is
/// closed.
pub(super) async fn read(
    mut response: Response,
    bytes_max: u64,
    tail: &mut Tail,
) -> Result<Unread, reqwest::Error> {
    let length = response.content_length();
    let mut left = bytes_max;
    while let Some(chunk) = response.chunk().await? {
        let room = usize::try_from(left).unwrap_or(usize::MAX);
        tail.push(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(
                match length.and_then(|length| length.checked_sub(bytes_max)) {
                    Some(count) => Unread::Last(count),
                    None => Unread::Behind(bytes_max),
                },
            );
        }
        left -= chunk.len() as u64;
    }
    Ok(Unread::Nothing)
}
