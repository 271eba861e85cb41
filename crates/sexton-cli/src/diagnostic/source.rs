//! The text that a problem is about, and where its lines are.

use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use thiserror::Error;

/// The longest file that is read: 16 MiB.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file that could not be read as text.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system said no.
    #[error("cannot read {name}: {cause}")]
    Io {
        /// The file.
        name: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The file is not to be trusted.
    #[error("{name} is refused: {why}")]
    Refused {
        /// The file.
        name: String,
        /// Why, and what to do.
        why: String,
    },
    /// The file is longer than [`FILE_BYTES_MAX`].
    #[error("{name} is longer than the {FILE_BYTES_MAX} bytes that are allowed")]
    TooLong {
        /// The file.
        name: String,
    },
    /// The file is not UTF-8.
    #[error("{name}:{line}: not UTF-8 text: byte {byte:#04x} at offset {offset}")]
    NotText {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The first byte that is wrong.
        byte: u8,
        /// Its place in the file.
        offset: usize,
    },
}

impl ReadError {
    /// The same, of a file that is called otherwise.
    #[must_use]
    pub fn of_file(mut self, called: &str) -> ReadError {
        match &mut self {
            ReadError::Io { name, .. }
            | ReadError::Refused { name, .. }
            | ReadError::TooLong { name }
            | ReadError::NotText { name, .. } => called.clone_into(name),
        }
        self
    }
}

/// A named text, with the places of its lines.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
    /// The bytes that the text stands for, if they are not UTF-8.
    bytes: Option<Vec<u8>>,
}

impl Source {
    /// A text, and the name by which people know it. A byte order mark is no part of the text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        let mut text = text.into();
        if text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(newlines).collect();
        Source {
            name: name.into(),
            text,
            line_starts,
            bytes: None,
        }
    }

    /// A text of any bytes. In [`Source::text`] the replacement character stands for what is not
    /// UTF-8; [`Source::byte_lines`] has the bytes.
    ///
    /// ```
    /// use sexton_cli::diagnostic::Source;
    ///
    /// let source = Source::of_bytes("bells", b"# caf\xe9\n@daily ring\n".to_vec());
    /// assert_eq!(source.text(), "# caf\u{fffd}\n@daily ring\n");
    /// assert_eq!(source.byte_lines().next(), Some((0, b"# caf\xe9".as_slice())));
    /// ```
    #[must_use]
    pub fn of_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Source {
        match String::from_utf8(bytes) {
            Ok(text) => Source::new(name, text),
            Err(error) => {
                let mut bytes = error.into_bytes();
                if bytes.starts_with(BYTE_ORDER_MARK.to_string().as_bytes()) {
                    bytes.drain(..BYTE_ORDER_MARK.len_utf8());
                }
                Source {
                    bytes: Some(bytes.clone()),
                    ..Source::new(name, String::from_utf8_lossy(&bytes))
                }
            }
        }
    }

    /// Reads a file, which must be UTF-8 and no longer than [`FILE_BYTES_MAX`]. `-` is standard
    /// input.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(path: &Path) -> Result<Source, ReadError> {
        Source::read_if(path, |_| Ok(()))
    }

    /// Reads a file as [`Source::read`] does, unless its owner or mode speak against it. Standard
    /// input has neither.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_if(
        path: &Path,
        check: impl FnOnce(&Metadata) -> Result<(), String>,
    ) -> Result<Source, ReadError> {
        let (name, bytes) = read_if(path, check)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source::new(name, text)),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let bytes = error.as_bytes();
                let line = bytes[..offset]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
                    + 1;
                let byte = bytes[offset];
                Err(ReadError::NotText {
                    name,
                    line,
                    byte,
                    offset,
                })
            }
        }
    }

    /// Reads a file of any bytes, unless its owner or mode speak against it.
    ///
    /// # Errors
    /// [`ReadError`], though never [`ReadError::NotText`].
    pub fn read_bytes_if(
        path: &Path,
        check: impl FnOnce(&Metadata) -> Result<(), String>,
    ) -> Result<Source, ReadError> {
        let (name, bytes) = read_if(path, check)?;
        Ok(Source::of_bytes(name, bytes))
    }

    /// The name by which people know the text: its path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a range, as it is written; empty if the range is none of this text's.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or("")
    }

    /// The line, from 1, that `offset` lies in.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= offset)
            .max(1)
    }

    /// Where line `line` (from 1) begins and ends, without its end of line.
    #[must_use]
    pub fn line_range(&self, line: usize) -> Range<usize> {
        let start = self
            .line_starts
            .get(line - 1)
            .copied()
            .unwrap_or(self.text.len());
        let end = self
            .line_starts
            .get(line)
            .map_or(self.text.len(), |next| next - 1);
        let end = end.max(start);
        let trimmed = self.text[start..end].trim_end_matches('\r').len();
        start..start + trimmed
    }

    /// Line and column of `offset`, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.line(offset);
        let range = self.line_range(line);
        let before = &self.text[range.start..offset.clamp(range.start, range.end)];
        (line, before.chars().count() + 1)
    }

    /// The lines, with the place of each, without their ends (`\n` or `\r\n`).
    pub fn lines(&self) -> impl Iterator<Item = (Range<usize>, &str)> {
        let count = self.line_starts.len();
        (1..=count)
            .map(|line| self.line_range(line))
            .enumerate()
            .filter(move |(index, range)| index + 1 < count || !range.is_empty())
            .map(|(_, range)| (range.clone(), &self.text[range]))
    }

    /// The lines as bytes, without their ends, each with the place in the text at which it begins.
    pub fn byte_lines(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let bytes = self.bytes.as_ref();
        let mut lines = bytes.map(|bytes| bytes.split(|byte| *byte == b'\n'));
        self.lines().map(move |(range, text)| {
            // The text has the ends of lines that the bytes have.
            let line = lines.as_mut().and_then(Iterator::next);
            (range.start, line.map_or(text.as_bytes(), without_return))
        })
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| *byte != b'\r');
    line.get(..end.map_or(0, |end| end + 1)).unwrap_or(line)
}

/// The name and the bytes of a file, unless its owner or mode speak against it.
fn read_if(
    path: &Path,
    check: impl FnOnce(&Metadata) -> Result<(), String>,
) -> Result<(String, Vec<u8>), ReadError> {
    let name = path.display().to_string();
    let limit = FILE_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let mut refused = None;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| {
            // Of what was opened, and not of what has the name by then.
            refused = check(&file.metadata()?).err();
            file.take(limit).read_to_end(&mut bytes)
        })
    };
    if let Some(why) = refused {
        return Err(ReadError::Refused { name, why });
    }
    if let Err(cause) = read {
        return Err(ReadError::Io { name, cause });
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ReadError::TooLong { name });
    }
    Ok((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let source = Source::new("f", "ab\r\n\né = 1\nlast");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(4), (2, 1));
        assert_eq!(source.line_column(7), (3, 2));
        assert_eq!(source.line_column(999), (4, 5));
        let lines: Vec<_> = source.lines().map(|(_, line)| line).collect();
        assert_eq!(lines, ["ab", "", "é = 1", "last"]);
        assert_eq!(Source::new("f", "\u{feff}a").line_column(1), (1, 2));
        assert_eq!(Source::new("f", "").lines().count(), 0);
        assert_eq!(Source::new("f", "a\n").lines().count(), 1);
    }

    #[test]
    fn lines_of_bytes_stand_where_those_of_the_text_do() {
        let source = Source::of_bytes("f", b"\xef\xbb\xbfa\xe9b\r\n\n\xff\n\xc3\xa9\n".to_vec());
        assert_eq!(source.text(), "a\u{fffd}b\r\n\n\u{fffd}\n\u{e9}\n");
        let lines: Vec<(usize, &[u8])> = source.byte_lines().collect();
        let expected: [(usize, &[u8]); 4] =
            [(0, b"a\xe9b"), (7, b""), (8, b"\xff"), (12, b"\xc3\xa9")];
        assert_eq!(lines, expected);
        assert_eq!(
            Source::of_bytes("f", b"a\n".to_vec()).byte_lines().count(),
            1
        );
    }
}
