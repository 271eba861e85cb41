//! The users of this machine.

use nix::unistd::{Uid, User, geteuid};

use crate::tasks::RunAs;

/// Who may run what: the users of this machine.
pub trait Users {
    /// How to become this user; `Ok(None)` if the program is this user already.
    ///
    /// # Errors
    /// Why that cannot be.
    fn run_as(&self, name: &str) -> Result<Option<RunAs>, String>;

    /// A user's home directory.
    fn home(&self, name: &str) -> Option<String>;

    /// The user that the program is; `None` if it has no name.
    fn own(&self) -> Option<String>;
}

/// The users that the operating system knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemUsers;

impl Users for SystemUsers {
    fn run_as(&self, name: &str) -> Result<Option<RunAs>, String> {
        let user = User::from_name(name)
            .map_err(|error| format!("the users of this machine cannot be looked up: {error}"))?
            .ok_or_else(|| "this machine has no such user".to_owned())?;
        let own = geteuid();
        if user.uid == own {
            return Ok(None);
        }
        if own != Uid::from_raw(0) {
            return Err("only root can run commands as another user".to_owned());
        }
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        Ok(Some(RunAs {
            name: name.to_owned(),
            uid,
            gid,
        }))
    }

    fn home(&self, name: &str) -> Option<String> {
        let user = User::from_name(name).ok().flatten()?;
        user.dir.to_str().map(str::to_owned)
    }

    fn own(&self) -> Option<String> {
        let user = User::from_uid(geteuid()).ok().flatten();
        user.map(|user| user.name)
    }
}

/// Users for a program that reads what the tasks are and runs none of them: a user that the machine
/// does not know, or that the program cannot become, is no obstacle.
#[derive(Debug, Clone, Copy, Default)]
pub struct NamesAlone;

impl Users for NamesAlone {
    fn run_as(&self, name: &str) -> Result<Option<RunAs>, String> {
        // Whom a crontab may belong to goes by the user all the same.
        Ok(SystemUsers.run_as(name).unwrap_or(None))
    }

    fn home(&self, name: &str) -> Option<String> {
        SystemUsers.home(name)
    }

    fn own(&self) -> Option<String> {
        SystemUsers.own()
    }
}
