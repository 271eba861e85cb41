//! What a server answers to a command that writes.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::error::StoreError;
use crate::store::{CommandError, cause_of_code};
use crate::value::{Fields, Unreadable};

/// The server's code for a key that another document has.
const DUPLICATE_KEY: i32 = 11_000;

/// What has become of the statements of a write.
#[derive(Debug, Default)]
pub(crate) struct WriteResult {
    /// How many documents they have found or made.
    pub(crate) found: usize,
    /// The positions of the statements that have lost their key to another document.
    pub(crate) duplicates: BTreeSet<usize>,
}

/// Why a write does not stand, though the server has run the command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum WriteError {
    #[error("a write was not confirmed by a majority: code {code}, {message}")]
    NotConfirmed { code: i32, message: String },
    #[error("a document was not written: code {code}, {message}")]
    NotWritten { code: i32, message: String },
}

impl WriteResult {
    /// Reads the reply to a write.
    ///
    /// # Errors
    /// If a statement failed for anything but its key, or if the write may be rolled back.
    pub(crate) fn read(reply: Fields<'_>) -> Result<WriteResult, StoreError> {
        let mut result = WriteResult {
            found: usize::try_from(reply.number("n")?).unwrap_or(0),
            duplicates: BTreeSet::new(),
        };
        for error in reply.documents("writeErrors")? {
            let (code, message) = code_and_message(error)?;
            if code != DUPLICATE_KEY {
                return Err(failed(code, WriteError::NotWritten { code, message }));
            }
            let position = usize::try_from(error.number("index")?);
            result.duplicates.extend(position);
        }
        if reply.0.contains_key("writeConcernError") {
            let (code, message) = code_and_message(reply.document("writeConcernError")?)?;
            return Err(failed(code, WriteError::NotConfirmed { code, message }));
        }
        Ok(result)
    }

    /// Adds the result of the statements that follow the first `before`.
    pub(crate) fn append(&mut self, part: WriteResult, before: usize) {
        self.found += part.found;
        let duplicates = part.duplicates.into_iter();
        self.duplicates
            .extend(duplicates.map(|position| position + before));
    }
}

fn code_and_message(error: Fields<'_>) -> Result<(i32, String), Unreadable> {
    let code = i32::try_from(error.number("code")?).unwrap_or(i32::MAX);
    let message = error.maybe_text("errmsg")?.unwrap_or_default();
    Ok((code, message.to_owned()))
}

fn failed(code: i32, error: WriteError) -> StoreError {
    StoreError::Command(CommandError {
        cause: cause_of_code(code),
        source: Box::new(error),
    })
}
