//! The two forms of crontabs.

use std::path::Path;

/// Whether lines name the user that their command runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `m h dom mon dow command`: what `crontab -e` edits.
    User,
    /// `m h dom mon dow user command`: `/etc/crontab` and the files of `/etc/cron.d`.
    System,
}

impl Form {
    /// The form of the file at `path`: [`Form::System`] for `…/etc/crontab` and files in
    /// `…/etc/cron.d`, [`Form::User`] for all others.
    #[must_use]
    pub fn of(path: &Path) -> Form {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent();
        let is_system = path.ends_with("etc/crontab")
            || folder.is_some_and(|folder| folder.ends_with("etc/cron.d"));
        if is_system { Form::System } else { Form::User }
    }
}
