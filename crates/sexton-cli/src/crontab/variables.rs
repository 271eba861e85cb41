//! The environment of a crontab's commands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::environment::Environment;
use crate::secret::Secret;

/// What cron gives to its commands, and what the crontab's own lines have set so far. Values are
/// bytes, as in the crontab.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    of_cron: BTreeMap<String, Vec<u8>>,
    of_file: BTreeMap<String, Vec<u8>>,
}

/// Debian's cron.
const PATH: &str = "/usr/bin:/bin";
const SHELL: &str = "/bin/sh";

impl Variables {
    pub(super) fn of_cron() -> Variables {
        let of_cron = [("PATH", PATH), ("SHELL", SHELL)];
        Variables {
            of_cron: of_cron
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into(),
            of_file: BTreeMap::new(),
        }
    }

    /// For a user that the machine has no entry for: what the environment says of the user.
    pub(super) fn of_environment(environment: &Environment) -> Variables {
        let mut variables = Variables::of_cron();
        for name in ["HOME", "LOGNAME", "USER"] {
            if let Some(value) = environment.text(name) {
                variables.of_cron.insert(name.to_owned(), value.into());
            }
        }
        variables
    }

    pub(super) fn set(&mut self, name: &str, value: &[u8]) {
        self.of_file.insert(name.to_owned(), value.to_vec());
    }

    pub(super) fn shell(&self) -> OsString {
        let of_file = self.of_file.get("SHELL").filter(|shell| !shell.is_empty());
        of_file.map_or(SHELL.into(), |shell| OsString::from_vec(shell.clone()))
    }

    /// What the command of a line sees. `LOGNAME` and `USER` are the user's, whatever the crontab
    /// says.
    pub(super) fn of_command(
        &self,
        user: Option<&str>,
        home: Option<&str>,
    ) -> BTreeMap<String, Secret> {
        let mut all = self.of_cron.clone();
        if let Some(home) = home {
            all.insert("HOME".to_owned(), home.into());
        }
        all.extend(self.of_file.clone());
        for name in ["LOGNAME", "USER"] {
            let user = user.map(|user| user.as_bytes().to_vec());
            if let Some(value) = user.or_else(|| self.of_cron.get(name).cloned()) {
                all.insert(name.to_owned(), value);
            }
        }
        all.retain(|name, _| !name.starts_with("SEXTON_"));
        all.into_iter()
            .map(|(name, value)| (name, Secret::of_bytes(value)))
            .collect()
    }
}
