//! Reading one crontab, line by line.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

use sexton_core::name::TaskName;
use sexton_core::schedule::zone::Database;
use sexton_core::schedule::{Cron, Schedule, ScheduleError};
use sexton_core::tick::Concurrency;

use super::command::CommandText;
use super::directive;
use super::field::beyond_cron;
use super::form::Form;
use super::line::{self, Line, LineError, Timed};
use super::name::{FileName, Identity, Names};
use super::spread::{self, Delayed};
use super::users::Users;
use super::variables::Variables;

use crate::diagnostic::{Problem, Report};
use crate::secret::Secret;
use crate::tasks::{
    CommandSpec, Inherit, Limits, MissingCwd, Policies, Program, RunAs, TASKS_MAX, TaskSpec, Work,
    Zone, ZoneChosen,
};
use crate::visible::brief;

/// How much of a line is repeated in a message beside it, in characters.
const FOUND_CHARS_MAX: usize = 60;
/// How much of a user's name is repeated in a message, in characters.
pub(super) const USER_CHARS_MAX: usize = 60;

/// What is read of a crontab so far, and what counts for its next line.
pub(super) struct Reader<'r> {
    pub(super) report: &'r Report,
    pub(super) form: Form,
    pub(super) users: &'r dyn Users,
    /// Whose crontab it is, if that was said, and how to become that user.
    pub(super) user: Option<&'r str>,
    pub(super) run_as: Option<RunAs>,
    /// Who the commands run as, where the lines do not say.
    pub(super) owner: Option<String>,
    pub(super) variables: Variables,
    zones: &'r Database,
    pub(super) zone: Zone,
    pub(super) file: FileName,
    /// The names of this crontab's tasks and of those read before it.
    pub(super) names: &'r mut Names,
    pub(super) tasks: Vec<TaskSpec>,
    /// How many tasks the crontabs read before have.
    pub(super) tasks_before: usize,
    /// The name that a comment gives to the line below it, and where the comment stands.
    named: Option<(TaskName, Range<usize>)>,
    /// What `RANDOM_DELAY` says, in minutes.
    delay: u32,
    has_told_of_mail: bool,
    /// How many lines are left out that may have been meant to run.
    pub(super) left_out: usize,
}

/// A line, and where it begins in the text that is shown.
#[derive(Clone, Copy)]
struct Place<'t> {
    line: &'t [u8],
    start: usize,
}

impl Place<'_> {
    /// Where a part of the line stands in the text that is shown, in which what is not UTF-8 is
    /// longer.
    fn of(&self, part: &Range<usize>) -> Range<usize> {
        let shown = |at: usize| {
            let before = self.line.get(..at).unwrap_or(self.line);
            self.start + String::from_utf8_lossy(before).len()
        };
        shown(part.start)..shown(part.end)
    }

    fn whole(&self) -> Range<usize> {
        self.of(&(0..self.line.len()))
    }
}

impl<'r> Reader<'r> {
    /// A reader of a crontab whose commands run as `owner`, where its lines name nobody.
    pub(super) fn new(
        report: &'r Report,
        form: Form,
        users: &'r dyn Users,
        zones: &'r Database,
        zone: Zone,
        names: &'r mut Names,
    ) -> Reader<'r> {
        Reader {
            report,
            form,
            users,
            user: None,
            run_as: None,
            owner: None,
            variables: Variables::of_cron(),
            zones,
            zone,
            file: FileName::of(report.source().name()),
            names,
            tasks: Vec::new(),
            tasks_before: 0,
            named: None,
            delay: 0,
            has_told_of_mail: false,
            left_out: 0,
        }
    }

    /// Reads all lines.
    pub(super) fn read(&mut self) {
        let report = self.report;
        for (start, line) in report.source().byte_lines() {
            if report.is_full() {
                break;
            }
            self.line(Place { line, start });
        }
        self.forget_name();
    }

    fn line(&mut self, place: Place<'_>) {
        match line::parse(place.line, self.form) {
            Ok(Line::Nothing) => self.forget_name(),
            Ok(Line::Comment(comment)) => {
                self.forget_name();
                self.comment(comment, place);
            }
            Ok(Line::Variable { name, value }) => {
                self.forget_name();
                self.variable(name, value, place);
            }
            Ok(Line::Reboot { when }) => {
                self.named = None;
                let problem = Problem::warning(
                    place.of(&when),
                    "@reboot is skipped: there is no such moment for replicas that share a schedule",
                );
                let help = "start the command by the machine's own means, such as a systemd unit";
                self.tell(problem.help(help));
            }
            Ok(Line::Timed(timed)) => {
                let named = self.named.take().map(|(name, _)| name);
                if let Err(problem) = self.timed(&timed, named, place) {
                    self.left_out += 1;
                    self.leave_out(*problem);
                }
            }
            Err(error) => {
                self.named = None;
                self.left_out += 1;
                self.leave_out(of_line(&error, place));
            }
        }
    }

    /// Tells why a line is left out. Cron does so, and runs the others.
    fn leave_out(&self, mut problem: Problem) {
        problem.message = format!("this line is left out: {}", problem.message);
        self.tell(problem);
    }

    /// Tells of a line without its command, in which there may be a password: what is told at the
    /// start goes to logs.
    fn tell(&self, problem: Problem) {
        self.report.push(problem.hiding_the_rest());
    }

    /// Warns of a name that is not directly above a line.
    fn forget_name(&mut self) {
        if let Some((_, span)) = self.named.take() {
            let problem = Problem::warning(span, "this names no line");
            self.report.push(problem.allowed(directive::FORM));
        }
    }

    fn comment(&mut self, comment: &[u8], place: Place<'_>) {
        match directive::parse(comment) {
            Ok(None) if directive::is_misspelt(comment) => {
                let message = "this comment names no line";
                let problem = Problem::warning(place.whole(), message);
                self.report.push(problem.allowed(directive::FORM));
            }
            Ok(name) => self.named = name.map(|name| (name, place.whole())),
            Err(why) => {
                let message = format!("a comment for Sexton that cannot be used: {why}");
                let problem = Problem::error(place.whole(), message);
                self.report.push(problem.allowed(directive::FORM));
            }
        }
    }

    fn variable(&mut self, name: &str, value: &[u8], place: Place<'_>) {
        let unusable = |message: String| Problem::warning(place.whole(), message).in_field(name);
        match name {
            "CRON_TZ" => match self.zones.zone(&String::from_utf8_lossy(value)) {
                Ok(zone) => {
                    self.zone = Zone {
                        zone,
                        chosen: ZoneChosen::ByFile,
                    }
                }
                Err(error) => {
                    let named = self.zone.zone.iana_name();
                    let named = named.filter(|_| self.zone.chosen == ZoneChosen::ByFile);
                    let zone = named.unwrap_or("this machine's zone");
                    let help = format!("the lines below count in {zone}");
                    self.leave_out(unusable(error.to_string()).help(help));
                }
            },
            "RANDOM_DELAY" => match spread::read_delay(value) {
                Ok(minutes) => self.delay = minutes,
                Err(allowed) => {
                    let problem = unusable("this is no delay".to_owned());
                    self.leave_out(problem.allowed(allowed.to_string()));
                }
            },
            "MAILTO" if !value.is_empty() && !self.has_told_of_mail => {
                self.has_told_of_mail = true;
                let problem = unusable("nothing is mailed".to_owned());
                let help = "what commands print is in the history: `sexton history --output`; \
                            `MAILTO=\"\"` ends this warning";
                self.tell(problem.help(help));
            }
            _ => {}
        }
        self.variables.set(name, value);
    }

    fn timed(
        &mut self,
        timed: &Timed<'_>,
        named: Option<TaskName>,
        place: Place<'_>,
    ) -> Result<(), Box<Problem>> {
        if self.tasks_before + self.tasks.len() == TASKS_MAX {
            let message = format!("these are too many tasks: at most {TASKS_MAX}");
            self.tell(Problem::error(place.of(&timed.when), message));
            return Ok(());
        }
        let when = timed.expression();
        let refused = |error: ScheduleError| Box::new(of_time(&error, &when, timed, place));
        // A line that cannot be read must not use up a name.
        let probe = match &named {
            Some(name) => Ok(name.clone()),
            None => TaskName::new(self.file.as_str()),
        };
        let probe = probe.map_err(|error| {
            Box::new(Problem::warning(place.of(&timed.when), error.to_string()))
        })?;
        let is_open = spread::leaves_open(&when);
        let cron = match self.cron(&when, &probe) {
            // By another name it may well be due.
            Err(ScheduleError::NeverDue { .. }) if is_open => None,
            read => Some(read.map_err(refused)?),
        };
        let run_as = self.run_as(timed, place)?;
        let command = CommandText::parse(timed.command);
        let name = self.name(named, timed, &when, &command, place)?;
        // The numbers that the line leaves open go by its name.
        let cron = match cron {
            Some(cron) if !is_open => cron,
            _ => self.cron(&when, &name).map_err(refused)?,
        };
        self.warn_of(timed, place);
        let schedule: Arc<dyn Schedule> = match spread::delay_minutes(self.delay, &name) {
            0 => Arc::new(cron),
            minutes => Arc::new(Delayed::new(cron, minutes)),
        };
        let named_user = timed.user.as_ref().map(|(user, _)| *user).or(self.user);
        let user = named_user.or(self.owner.as_deref());
        let work = self.work(command, user, run_as);
        self.tasks.push(TaskSpec {
            name,
            schedule,
            schedule_written: when,
            timezone: self.zone.clone(),
            concurrency: Concurrency::ONE,
            work,
            policies: Policies::default(),
            line: self.report.source().line(place.start),
        });
        Ok(())
    }

    fn cron(&self, when: &str, name: &TaskName) -> Result<Cron, ScheduleError> {
        spread::parse(when, name).and_then(|cron| cron.in_tz(self.zone.zone.clone()))
    }

    fn run_as(&self, timed: &Timed<'_>, place: Place<'_>) -> Result<Option<RunAs>, Box<Problem>> {
        let Some((user, at)) = &timed.user else {
            return Ok(self.run_as.clone());
        };
        self.users.run_as(user).map_err(|why| {
            let found = format!("{:?}", brief(user, USER_CHARS_MAX));
            let help = "where the lines of a crontab name no user, say `--crontab-form user`";
            let problem = Problem::warning(place.of(at), why);
            Box::new(problem.found(found).help(help))
        })
    }

    fn name(
        &mut self,
        named: Option<TaskName>,
        timed: &Timed<'_>,
        when: &str,
        command: &CommandText,
        place: Place<'_>,
    ) -> Result<TaskName, Box<Problem>> {
        let source = self.report.source();
        let at = format!("{}:{}", source.name(), source.line(place.start));
        let named = match named {
            Some(name) => self.names.of_comment(&name, &at).map(|()| name),
            None => {
                let user = timed.user.as_ref().map(|(user, _)| *user).or(self.user);
                // The machine's zone is no part of the name: machines call the same zone by
                // different names.
                let zone = match self.zone.chosen {
                    ZoneChosen::ByFile => self.zone.zone.iana_name().unwrap_or(""),
                    ZoneChosen::ByMachine | ZoneChosen::ByDefault => "",
                };
                let identity = Identity {
                    when,
                    user: user.unwrap_or(""),
                    zone,
                    command: timed.command,
                };
                self.names
                    .of_line(&self.file, &command.script, &identity, &at)
            }
        };
        named.map_err(|why| Box::new(Problem::warning(place.of(&timed.when), why)))
    }

    /// Warns of a line that runs, though not as it would by cron, or not as it may be meant.
    fn warn_of(&self, timed: &Timed<'_>, place: Place<'_>) {
        if let Some(why) = beyond_cron(&timed.fields) {
            let message = format!("Sexton runs this line, and cron would not: {why}");
            self.tell(Problem::warning(place.of(&timed.when), message));
        }
        if timed.command.ends_with(b"\\") {
            let message =
                "a line is not continued by a `\\` at its end: the next line is one by itself";
            self.tell(Problem::warning(place.of(&timed.when), message));
        }
        let mut words = timed.command.split(|byte| byte.is_ascii_whitespace());
        if self.form == Form::User && words.next() == Some(b"root") {
            let message = "`root` is taken for the command here, not for the user";
            let help = "where the lines of a crontab name a user, say `--crontab-form system`";
            self.tell(Problem::warning(place.of(&timed.when), message).help(help));
        }
    }

    fn work(&self, command: CommandText, user: Option<&str>, run_as: Option<RunAs>) -> Work {
        let home = user.and_then(|user| self.users.home(user));
        let variables = self.variables.of_command(user, home.as_deref());
        let cwd = variables.get("HOME").map(|home| {
            let home = home.expose_bytes();
            PathBuf::from(OsStr::from_bytes(home))
        });
        Work::Command(Box::new(CommandSpec {
            program: Program::Shell {
                shell: self.variables.shell(),
                script: OsString::from_vec(command.script),
            },
            cwd,
            missing_cwd: MissingCwd::BeginInRoot,
            inherit: Inherit::nothing(),
            variables,
            stdin: command.stdin.map(Secret::of_bytes),
            run_as,
            umask: None,
            nice: None,
            limits: Limits::default(),
        }))
    }
}

/// Why the time of a line cannot be used. What is no time at all is not repeated: it may be the
/// rest of a command that somebody has continued on this line, with a password in it.
fn of_time(error: &ScheduleError, when: &str, timed: &Timed<'_>, place: Place<'_>) -> Problem {
    if when.split(' ').all(may_be_time) {
        return Problem::warning(place.of(&timed.when), error.to_string());
    }
    let problem = Problem::warning(place.of(&(0..0)), "the line does not begin with a time");
    problem.allowed("minute hour day-of-month month day-of-week, or a nickname like @daily")
}

/// Whether a word looks like a field of a time, wrong or right.
fn may_be_time(word: &str) -> bool {
    const LETTERS_MAX: usize = 4;
    const NICKNAME_MAX: usize = 12;
    if let Some(nickname) = word.strip_prefix('@') {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let is_letters = nickname.bytes().all(is_letter);
        return is_letters && nickname.len() <= NICKNAME_MAX;
    }
    let marks = ['*', '/', ',', '-', '~', '?', '#', '(', ')', '+', '.'];
    word.split(marks).all(|part| {
        let is_one_kind = part.bytes().all(|byte| byte.is_ascii_digit())
            || part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_one_kind && part.len() <= LETTERS_MAX
    })
}

fn of_line(error: &LineError, place: Place<'_>) -> Problem {
    let found = place.line.get(error.at.clone()).unwrap_or_default();
    let found: Cow<'_, str> = String::from_utf8_lossy(found);
    // Of a task file that was taken for a crontab the first line says so.
    let is_told = found.starts_with("[[") || found.split_whitespace().all(may_be_time);
    let at = if is_told { error.at.clone() } else { 0..0 };
    let mut problem = Problem::warning(place.of(&at), error.message);
    if let Some(allowed) = error.allowed {
        problem = problem.allowed(allowed);
    }
    if let Some(help) = error.help {
        problem = problem.help(help);
    }
    if is_told && !found.is_empty() {
        problem = problem.found(format!("{:?}", brief(&found, FOUND_CHARS_MAX)));
    }
    problem
}
