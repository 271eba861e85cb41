//! Whose crontab may be run.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Uid, User, geteuid};

use crate::tasks::RunAs;

const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Refuses a crontab by which somebody else could run commands as root, or as the user that root
/// runs it for, as cron does. A user's own program runs what the user may run anyway.
pub(super) fn check(metadata: &Metadata, user: Option<&RunAs>) -> Result<(), String> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = metadata.uid();
    let is_trusted = owner == 0 || user.is_some_and(|user| user.uid == owner);
    if !is_trusted {
        let allowed = match user {
            Some(user) => format!("root or {}", user.name),
            None => "root".to_owned(),
        };
        let owner = name_of(owner);
        return Err(format!(
            "it belongs to {owner}, and root runs only what belongs to {allowed}: \
             `chown root` it, or run it as its owner by `--user {owner}`"
        ));
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(format!(
            "its mode is {:04o}, so that others can write commands into it: `chmod go-w` it",
            metadata.mode() & 0o7777
        ));
    }
    Ok(())
}

fn name_of(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}
