//! The environment of a crontab's commands.

use std::collections::BTreeMap;

use crate::environment::Environment;
use crate::secret::Secret;

/// What cron gives to its commands, and what the crontab's own lines have set so far.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    of_cron: BTreeMap<String, String>,
    of_file: BTreeMap<String, String>,
}

/// Debian's cron.
const PATH: &str = "/usr/bin:/bin";
const SHELL: &str = "/bin/sh";

impl Variables {
    pub(super) fn of_cron() -> Variables {
        let of_cron = [("PATH", PATH), ("SHELL", SHELL)];
        Variables {
            of_cron: of_cron
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            of_file: BTreeMap::new(),
        }
    }

    /// For a user that the machine has no entry for: what the environment says of the user.
    pub(super) fn of_environment(environment: &Environment) -> Variables {
        let mut variables = Variables::of_cron();
        for name in ["HOME", "LOGNAME", "USER"] {
            if let Some(value) = environment.text(name) {
                variables.of_cron.insert(name.to_owned(), value.to_owned());
            }
        }
        variables
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.of_file.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn shell(&self) -> &str {
        let of_file = self.of_file.get("SHELL").filter(|shell| !shell.is_empty());
        of_file.map_or(SHELL, String::as_str)
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
            all.insert("HOME".to_owned(), home.to_owned());
        }
        all.extend(self.of_file.clone());
        for name in ["LOGNAME", "USER"] {
            let of_cron = self.of_cron.get(name).map(String::as_str);
            if let Some(value) = user.or(of_cron) {
                all.insert(name.to_owned(), value.to_owned());
            }
        }
        all.retain(|name, _| !name.starts_with("SEXTON_"));
        all.into_iter()
            .map(|(name, value)| (name, Secret::plain(value)))
            .collect()
    }
}
