//! The file that a command line names: a task file or crontabs.

use crate::args::FileArguments;
use crate::config;
use crate::crontab::{self, SystemUsers};
use crate::diagnostic::Rejected;
use crate::environment::Environment;
use crate::tasks::TaskFile;
use crate::zones;

/// Reads the file that the command line names.
pub(super) fn load(
    arguments: &FileArguments,
    environment: &Environment,
) -> Result<TaskFile, Rejected> {
    let mut file = load_plain(arguments, environment)?;
    file.warnings.extend(zones::warnings(environment, &file));
    file.warnings.extend(zones::unnamed(&file));
    Ok(file)
}

fn load_plain(arguments: &FileArguments, environment: &Environment) -> Result<TaskFile, Rejected> {
    match &arguments.file {
        Some(path) => config::load(path, environment),
        None => {
            let selection = arguments.reading.of(&arguments.crontab);
            crontab::load_all(&selection, environment, &SystemUsers)
        }
    }
}
