//! Crontabs as they are: user form and system form, environment lines, `%`, nicknames.
//!
//! What a line means follows Debian's cron
//! ([crontab(5)](https://manpages.debian.org/bookworm/cron/crontab.5.en.html)):
//!
//! - Blank lines and lines that begin with `#` are skipped; white space in front does not matter.
//!   The last line needs no newline, and `\r\n` ends a line as well.
//! - `NAME = value` sets a variable for the lines below it; a value may stand in quotes. Nothing is
//!   expanded. `SHELL` is what runs the commands, `CRON_TZ` the time zone of the lines below it
//!   (the machine's by default), `MAILTO` is only passed on: what a command prints is in Sexton's
//!   history.
//! - A command begins in its user's home directory, or in `/` if that is not there, with `HOME`,
//!   `LOGNAME`, `USER`, `SHELL`, `PATH=/usr/bin:/bin` and the crontab's variables, and none of the
//!   environment that Sexton itself was started in. `HOME`, `LOGNAME` and `USER` are those of the
//!   user in the machine's list of users.
//! - The first `%` that has no backslash ends the command; what follows is its standard input, each
//!   further `%` a newline.
//! - `@reboot` has no meaning where many replicas share a schedule: the line is skipped with a
//!   warning.
//!
//! A task has a name: the file's, the command's beginning, and a digest of when, who and what.
//! Editing one line leaves the names of the others alone, and replicas with the same crontab have
//! the same names.

mod command;
mod line;
mod name;
mod ownership;
mod users;
mod variables;

use std::fs::Metadata;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use sexton_core::schedule::{Cron, zone};
use sexton_core::tick::Concurrency;

use crate::diagnostic::{Problem, Rejected, Report, Source};
use crate::environment::Environment;
use crate::masks::Masks;
use crate::secret::Secret;
use crate::tasks::{
    CommandSpec, Groups, Inherit, Limits, MissingCwd, Policies, Program, RunAs, StoreSpec,
    TASKS_MAX, TaskFile, TaskSpec, Work, Zone, ZoneChosen,
};
use crate::visible::brief;
use command::CommandText;
use line::{Line, Timed};
use name::Names;
use variables::Variables;

pub use users::SystemUsers;

/// How much of a line is repeated in a message beside it, in characters.
const FOUND_CHARS_MAX: usize = 60;
/// How much of a user's name is repeated in a message, in characters.
const USER_CHARS_MAX: usize = 60;

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

/// Reads a crontab. `-` is standard input. `user` is whose it is, if it is not that of the
/// program's own user.
///
/// Root reads only what belongs to root or to `user`, and what nobody else can write.
///
/// # Errors
/// [`Rejected`], with everything that is wrong with it.
pub fn load(
    path: &Path,
    form: Form,
    user: Option<&str>,
    environment: &Environment,
    users: &dyn Users,
) -> Result<TaskFile, Rejected> {
    let run_as = run_as(user, users)?;
    let check = |metadata: &Metadata| ownership::check(metadata, run_as.as_ref());
    let source = Source::read_if(path, check).map_err(Rejected::whole)?;
    let folder = crate::config::folder_of(path);
    read(&source, &folder, form, user, environment, users)
}

fn run_as(user: Option<&str>, users: &dyn Users) -> Result<Option<RunAs>, Rejected> {
    let found = user.map(|name| {
        let why = |why| Rejected::whole(format!("user {}: {why}", brief(name, USER_CHARS_MAX)));
        users.run_as(name).map_err(why)
    });
    found.transpose().map(Option::flatten)
}

/// Reads the text of a crontab.
///
/// # Errors
/// [`Rejected`], with everything that is wrong with it.
pub fn read(
    source: &Source,
    folder: &Path,
    form: Form,
    user: Option<&str>,
    environment: &Environment,
    users: &dyn Users,
) -> Result<TaskFile, Rejected> {
    let run_as = run_as(user, users)?;
    let owner = match form {
        Form::User => user.map(str::to_owned).or_else(|| users.own()),
        Form::System => None,
    };
    let variables = match (form, &owner) {
        // The machine does not know the user that the program is, as in a container.
        (Form::User, None) => Variables::of_environment(environment),
        _ => Variables::of_cron(),
    };
    let report = Report::new(source.clone());
    let mut reader = Reader {
        report: &report,
        form,
        users,
        user,
        run_as,
        owner,
        variables,
        zone: Zone {
            zone: TimeZone::system(),
            chosen: ZoneChosen::ByMachine,
        },
        names: Names::of_file(source.name()),
        tasks: Vec::new(),
    };
    for (range, text) in source.lines() {
        if report.is_full() {
            break;
        }
        reader.line(text, range.start);
    }
    let tasks = reader.tasks;
    if tasks.is_empty() && report.errors() == 0 {
        report.push(Problem::warning(
            0..0,
            "the crontab has no task that can be run",
        ));
    }
    let file = TaskFile {
        tasks,
        store: StoreSpec {
            url: None,
            namespace: None,
        },
        groups: Groups::new(),
        folder: folder.to_owned(),
        masks: Masks::default(),
        warnings: Vec::new(),
    };
    let (mut file, warnings) = report.finish(file)?;
    file.warnings = warnings;
    Ok(file)
}

/// Whether a command looks like a user and a command: no command is called `root`.
fn is_run_by_root(command: &str) -> bool {
    command.split([' ', '\t']).next() == Some("root")
}

struct Reader<'r> {
    report: &'r Report,
    form: Form,
    users: &'r dyn Users,
    /// Whose crontab it is, if that was said, and how to become that user.
    user: Option<&'r str>,
    run_as: Option<RunAs>,
    /// Who the commands run as, where the lines do not say.
    owner: Option<String>,
    variables: Variables,
    zone: Zone,
    names: Names,
    tasks: Vec<TaskSpec>,
}

impl Reader<'_> {
    fn line(&mut self, text: &str, offset: usize) {
        match line::parse(text, self.form) {
            Ok(Line::Nothing) => {}
            Ok(Line::Variable { name, value }) => self.variable(name, value, offset, text.len()),
            Ok(Line::Reboot) => {
                let problem = Problem::warning(
                    offset..offset + text.len(),
                    "@reboot is skipped: there is no such moment for replicas that share a schedule",
                );
                let help = "start the command by the machine's own means, such as a systemd unit";
                self.report.push(problem.help(help));
            }
            Ok(Line::Timed(timed)) => self.timed(&timed, text, offset),
            Err(error) => {
                let span = offset + error.at.start..offset + error.at.end;
                let found = brief(text.get(error.at.clone()).unwrap_or(""), FOUND_CHARS_MAX);
                let mut problem = Problem::error(span, error.message).allowed(error.allowed);
                if !found.is_empty() {
                    problem = problem.found(format!("{found:?}"));
                }
                self.report.push(problem);
            }
        }
    }

    fn variable(&mut self, name: &str, value: &str, offset: usize, length: usize) {
        if name == "CRON_TZ" {
            match zone::parse(value) {
                Ok(zone) => {
                    self.zone = Zone {
                        zone,
                        chosen: ZoneChosen::ByFile,
                    }
                }
                Err(error) => {
                    let problem = Problem::error(offset..offset + length, error.to_string());
                    self.report.push(problem.in_field("CRON_TZ"));
                }
            }
        }
        self.variables.set(name, value);
    }

    fn timed(&mut self, timed: &Timed<'_>, text: &str, offset: usize) {
        if self.tasks.len() == TASKS_MAX {
            let message = format!("these are too many tasks: at most {TASKS_MAX}");
            self.report
                .push(Problem::error(offset..offset + text.len(), message));
            return;
        }
        let when = timed.expression();
        let span = offset + timed.when.start..offset + timed.when.end;
        let cron = Cron::parse(&when).and_then(|cron| cron.in_tz(self.zone.zone.clone()));
        let cron = match cron {
            Ok(cron) => Some(cron),
            Err(error) => {
                self.report.push(Problem::error(span, error.to_string()));
                None
            }
        };
        let mut run_as = self.run_as.clone();
        if let Some((user, at)) = &timed.user {
            match self.users.run_as(user) {
                Ok(found) => run_as = found,
                Err(why) => {
                    let span = offset + at.start..offset + at.end;
                    let found = format!("{:?}", brief(user, USER_CHARS_MAX));
                    let help =
                        "where the lines of a crontab name no user, say `--crontab-form user`";
                    self.report
                        .push(Problem::error(span, why).found(found).help(help));
                    return;
                }
            }
        }
        let Some(cron) = cron else { return };
        if self.form == Form::User && is_run_by_root(timed.command) {
            let span = offset..offset + text.len();
            let message = "`root` is taken for the command here, not for the user";
            let help = "where the lines of a crontab name a user, say `--crontab-form system`";
            self.report.push(Problem::warning(span, message).help(help));
        }
        let said = timed.user.as_ref().map(|(user, _)| *user).or(self.user);
        let user = said.or(self.owner.as_deref());
        let home = user.and_then(|user| self.users.home(user));
        let variables = self.variables.of_command(user, home.as_deref());
        let command = CommandText::parse(timed.command);
        // The machine's zone is no part of the name: machines call the same zone by different
        // names.
        let zone = match self.zone.chosen {
            ZoneChosen::ByFile => self.zone.zone.iana_name().unwrap_or(""),
            ZoneChosen::ByMachine | ZoneChosen::ByDefault => "",
        };
        let identity = [&when, said.unwrap_or(""), timed.command, zone];
        let name = match self.names.name(&command.script, &identity) {
            Ok(name) => name,
            Err(error) => {
                let span = offset..offset + text.len();
                self.report.push(Problem::error(span, error.to_string()));
                return;
            }
        };
        self.tasks.push(TaskSpec {
            name,
            schedule: Arc::new(cron),
            schedule_written: when,
            timezone: self.zone.clone(),
            concurrency: Concurrency::ONE,
            work: Work::Command(Box::new(CommandSpec {
                program: Program::Shell {
                    shell: self.variables.shell().to_owned(),
                    script: command.script,
                },
                cwd: variables.get("HOME").map(|home| home.expose().into()),
                missing_cwd: MissingCwd::BeginInRoot,
                inherit: Inherit::nothing(),
                variables,
                stdin: command.stdin.map(Secret::plain),
                run_as,
                umask: None,
                nice: None,
                limits: Limits::default(),
            })),
            policies: Policies::default(),
            line: self.report.source().line(offset),
        });
    }
}
