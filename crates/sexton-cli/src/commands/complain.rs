//! What is said of what went wrong.

use std::io::{self, Write};

use crate::exit::Exit;

/// Writes to standard error; there is no one to tell if that fails.
pub(super) fn complain(text: &str, exit: Exit) -> Exit {
    let _ = io::stderr().lock().write_all(text.as_bytes());
    exit
}
