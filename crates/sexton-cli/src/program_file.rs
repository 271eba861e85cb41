//! Where the program finds itself, to start itself again.

use std::io;
use std::path::PathBuf;

/// This program's own file: on Linux also when an upgrade has replaced or removed it.
pub(crate) fn program_file() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}
