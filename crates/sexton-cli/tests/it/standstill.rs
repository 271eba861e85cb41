//! Programs that are made to stand still.
//!
//! Whoever stands still in the middle of a write to an SQLite file keeps everybody else from writing until it goes on: see GUARANTEES.md. On a
//! busy machine that is a moment that a signal hits now and then, and not what a test of standstills is about.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::program::Program;

/// Longer than one that does not stand still ever writes, however busy the machine is.
const WRITE_MAX: Duration = Duration::from_secs(3);

/// Makes the program stand still at a moment at which others can write to the file.
pub(crate) fn stand_still_between_writes(program: &Program, file: &Path) {
    loop {
        program.stand_still();
        if can_be_written(file) {
            return;
        }
        program.signal(Signal::CONT);
    }
}

fn can_be_written(file: &Path) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection: SqliteConnection =
            options.busy_timeout(WRITE_MAX).connect().await.unwrap();
        let can_be = match connection.begin_with("BEGIN IMMEDIATE").await {
            Ok(writing) => writing.rollback().await.is_ok(),
            Err(_) => false,
        };
        connection.close().await.unwrap();
        can_be
    })
}
