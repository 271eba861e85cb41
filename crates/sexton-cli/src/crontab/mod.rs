//! Crontabs as they are: user form and system form, environment lines, `%`, nicknames.
//!
//! What a line means follows Debian's cron
//! ([crontab(5)](https://manpages.debian.org/bookworm/cron/crontab.5.en.html)):
//!
//! - Blank lines and lines that begin with `#` are skipped; white space in front does not matter.
//!   The last line needs no newline, and `\r\n` ends a line as well. Bytes need not be UTF-8: what
//!   comments, values and commands say is left as it is.
//! - `NAME = value` sets a variable for the lines below it; a value may stand in quotes. Nothing is
//!   expanded. `SHELL` is what runs the commands, `CRON_TZ` the time zone of the lines below it
//!   (the machine's by default). `MAILTO` is only passed on, with a warning: what a command prints
//!   is in Sexton's history.
//! - A command begins in its user's home directory, or in `/` if that is not there, with `HOME`,
//!   `LOGNAME`, `USER`, `SHELL`, `PATH=/usr/bin:/bin` and the crontab's variables, and none of the
//!   environment that Sexton itself was started in. `HOME`, `LOGNAME` and `USER` are those of the
//!   user in the machine's list of users.
//! - The first `%` that has no backslash ends the command; what follows is its standard input, each
//!   further `%` a newline.
//! - `@reboot` has no meaning where many replicas share a schedule: the line is skipped with a
//!   warning.
//! - A line that cannot be used is left out with a warning, and the others run. What is refused as
//!   a whole is a file that cannot be read or trusted, crontabs with a line and none that can run,
//!   and a comment for Sexton that says what it may not.
//!
//! From cronie come `-` before the time, which SUSE's crontabs have, `~` in a field and
//! `RANDOM_DELAY`. What the latter two leave open is a hash of namespace and task, so that
//! replicas agree.
//!
//! # Names
//!
//! Replicas share a task if both call it the same. A line is called `FILE: PROGRAM [DIGEST]`; the
//! digest is over the fields of its time, its user, the zone of `CRON_TZ` and the command. **Two
//! hosts whose lines differ in one letter of these have two tasks, and each host runs its own.** A
//! comment directly above a line names it, whatever the line says: `# sexton: name = "backup"`.
//! Instances that run other lines of a crontab of the same name are told.

mod command;
mod directive;
mod field;
mod files;
mod form;
mod line;
mod name;
mod ownership;
mod program;
mod reader;
mod spread;
mod users;
mod variables;

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Rejected, Report, Source};
use crate::environment::Environment;
use crate::masks::Masks;
use crate::tasks::{CrontabLines, Groups, RunAs, StoreSpec, TaskFile, Zone, ZoneChosen};
use crate::visible::brief;
use files::CrontabFile;
use name::Names;
use reader::{Reader, USER_CHARS_MAX};
use variables::Variables;

pub use form::Form;
pub use users::{NamesAlone, SystemUsers, Users};

/// Which crontabs are read, and as what.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'s> {
    /// Files, and folders of them; `-` is standard input. A folder means the files that cron and
    /// `run-parts` would read, and one of the places where crons keep what `crontab -e` edits means
    /// each file of it as the crontab of the user whose name it has.
    pub paths: &'s [PathBuf],
    /// Whether lines name a user; by the path if `None`, as [`Form::of`] says.
    pub form: Option<Form>,
    /// Whose crontabs they are, if they are not those of the program's own user.
    pub user: Option<&'s str>,
}

/// Reads crontabs.
///
/// ```no_run
/// use std::path::PathBuf;
/// use sexton_cli::crontab::{Selection, SystemUsers, load_all};
/// use sexton_cli::environment::Environment;
///
/// let paths = [PathBuf::from("/etc/crontab"), PathBuf::from("/etc/cron.d")];
/// let selection = Selection { paths: &paths, form: None, user: None };
/// let file = load_all(&selection, &Environment::of_process(), &SystemUsers)?;
/// println!("{} tasks, {} warnings", file.tasks.len(), file.warnings.len());
/// # Ok::<(), sexton_cli::diagnostic::Rejected>(())
/// ```
///
/// Root reads only what belongs to root or to the user whose crontab it is, and what nobody else
/// can write.
///
/// # Errors
/// [`Rejected`], with everything that is wrong, if one that is named cannot be read or trusted, a
/// comment for Sexton cannot be used, there are too many tasks, or there are lines and none can
/// run. What cannot be read or trusted of a folder is a warning.
pub fn load_all(
    selection: &Selection<'_>,
    environment: &Environment,
    users: &dyn Users,
) -> Result<TaskFile, Rejected> {
    let mut crontabs = Crontabs::new(environment, users);
    let mut read = HashSet::new();
    for path in selection.paths {
        let (form, user) = (selection.form, selection.user);
        let found = files::at(path, form, user, &mut crontabs.warnings).map_err(Rejected::whole)?;
        for file in found {
            // Each line of a file that is read twice would run twice.
            let is_new = fs::canonicalize(&file.path).map_or(true, |path| read.insert(path));
            if is_new {
                crontabs.load(&file)?;
            } else {
                let why = format!("{} is named twice", file.path.display());
                crontabs.warnings.push(files::skipped(&why));
            }
        }
    }
    let folder = selection.paths.first();
    let folder = folder.map_or_else(|| PathBuf::from("."), |path| crate::config::folder_of(path));
    crontabs.finish(&folder)
}

/// Reads a crontab. `-` is standard input. `user` is whose it is, if it is not that of the
/// program's own user.
///
/// # Errors
/// As [`load_all`].
pub fn load(
    path: &Path,
    form: Form,
    user: Option<&str>,
    environment: &Environment,
    users: &dyn Users,
) -> Result<TaskFile, Rejected> {
    let mut crontabs = Crontabs::new(environment, users);
    crontabs.load(&CrontabFile {
        path: path.to_owned(),
        form,
        user: user.map(str::to_owned),
        is_found: false,
    })?;
    crontabs.finish(&crate::config::folder_of(path))
}

/// Reads the text of a crontab.
///
/// # Errors
/// As [`load_all`].
pub fn read(
    source: &Source,
    folder: &Path,
    form: Form,
    user: Option<&str>,
    environment: &Environment,
    users: &dyn Users,
) -> Result<TaskFile, Rejected> {
    let mut crontabs = Crontabs::new(environment, users);
    let run_as = run_as(user, users).map_err(Rejected::whole)?;
    crontabs.read(source, form, user, run_as)?;
    crontabs.finish(folder)
}

fn run_as(user: Option<&str>, users: &dyn Users) -> Result<Option<RunAs>, String> {
    let found = user.map(|name| {
        let why = |why| format!("user {}: {why}", brief(name, USER_CHARS_MAX));
        users.run_as(name).map_err(why)
    });
    found.transpose().map(Option::flatten)
}

/// Crontabs that are read together.
struct Crontabs<'c> {
    environment: &'c Environment,
    users: &'c dyn Users,
    /// The machine's zone.
    zone: Zone,
    names: Names,
    file: TaskFile,
    warnings: Vec<String>,
    left_out: usize,
}

impl<'c> Crontabs<'c> {
    fn new(environment: &'c Environment, users: &'c dyn Users) -> Crontabs<'c> {
        Crontabs {
            environment,
            users,
            zone: Zone {
                zone: crate::zones::machine_zone(environment),
                chosen: ZoneChosen::ByMachine,
            },
            names: Names::default(),
            file: TaskFile {
                tasks: Vec::new(),
                store: StoreSpec {
                    url: None,
                    namespace: None,
                },
                groups: Groups::new(),
                folder: PathBuf::new(),
                masks: Masks::default(),
                warnings: Vec::new(),
                crontabs: Vec::new(),
            },
            warnings: Vec::new(),
            left_out: 0,
        }
    }

    fn load(&mut self, file: &CrontabFile) -> Result<(), Rejected> {
        let user = file.user.as_deref();
        let of_file = |why| match file.is_found {
            true => format!("{}: {why}", file.path.display()),
            false => why,
        };
        let source = run_as(user, self.users)
            .map_err(of_file)
            .and_then(|run_as| {
                let check = |metadata: &Metadata| ownership::check(metadata, run_as.as_ref());
                let source = Source::read_bytes_if(&file.path, check);
                let source = source.map_err(|error| error.to_string())?;
                Ok((source, run_as))
            });
        match source {
            Ok((source, run_as)) => self.read(&source, file.form, user, run_as),
            Err(why) if file.is_found => {
                self.warnings.push(files::skipped(&why));
                Ok(())
            }
            Err(why) => Err(Rejected::whole(why)),
        }
    }

    fn read(
        &mut self,
        source: &Source,
        form: Form,
        user: Option<&str>,
        run_as: Option<RunAs>,
    ) -> Result<(), Rejected> {
        let report = Report::new(source.clone());
        let owner = match form {
            Form::User => user.map(str::to_owned).or_else(|| self.users.own()),
            Form::System => None,
        };
        let zones = self.environment.zones();
        let zone = self.zone.clone();
        let mut reader = Reader::new(&report, form, self.users, zones, zone, &mut self.names);
        if form == Form::User && owner.is_none() {
            // The machine does not know the user that the program is, as in a container.
            reader.variables = Variables::of_environment(self.environment);
        }
        (reader.user, reader.run_as, reader.owner) = (user, run_as, owner);
        reader.tasks_before = self.file.tasks.len();
        reader.read();
        let (tasks, file) = (reader.tasks, reader.file);
        self.left_out += reader.left_out;
        let ((), warnings) = report.finish(())?;
        self.warnings.extend(warnings);
        let names = tasks.iter().map(|task| task.name.clone());
        match self
            .file
            .crontabs
            .iter_mut()
            .find(|lines| lines.file == file.as_str())
        {
            Some(lines) => lines.tasks.extend(names),
            None => self.file.crontabs.push(CrontabLines {
                file: file.as_str().to_owned(),
                tasks: names.collect(),
            }),
        }
        self.file.tasks.extend(tasks);
        Ok(())
    }

    fn finish(self, folder: &Path) -> Result<TaskFile, Rejected> {
        let Crontabs {
            mut file,
            mut warnings,
            left_out,
            ..
        } = self;
        if file.tasks.is_empty() && left_out > 0 {
            return Err(Rejected::by_warnings(&warnings, "no line can be run"));
        }
        if file.tasks.is_empty() {
            warnings.push("warning: there is no task that can be run\n".to_owned());
        }
        file.folder = folder.to_owned();
        file.warnings = warnings;
        Ok(file)
    }
}
