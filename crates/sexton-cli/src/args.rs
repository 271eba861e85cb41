//! The command line.

mod expression;
mod zone_flags;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use sexton::lock::ExecutionState;
use sexton::schedule::zone::Source;
use sexton::{Concurrency, Tick};

use crate::crontab;

pub use expression::ExpressionArguments;
pub use zone_flags::ZoneFlags;

/// How long what runs may take to end when the program is asked to stop, unless told otherwise.
const GRACE_DEFAULT: &str = "30s";

/// How long a store that is away is waited for at the start, unless the flag says how long.
const STORE_WAIT_DEFAULT: &str = "5m";

/// How long a trigger waits for an instance, as [`Operator::TRIGGER_WITHIN`](sexton::Operator::TRIGGER_WITHIN).
const WITHIN_DEFAULT: &str = "1h";

/// A cron that survives a machine: each tick of a task is run once, however many copies of this
/// program share its store.
#[derive(Debug, Parser)]
#[command(
    name = "sexton",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = crate::exit::TABLE
)]
pub struct Arguments {
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the tasks of a file until SIGTERM or SIGINT
    ///
    /// Started again with the same file, here or wherever the store can be reached, the two share
    /// the ticks. SIGTERM and SIGINT let what runs end; a second one stops at once. SIGHUP reads
    /// the file again.
    #[command(
        after_help = "Examples:\n  sexton run tasks.toml\n  sexton run --crontab /etc/crontab --store sqlite:/var/lib/sexton.db\n  sexton run --crontab /etc/cron.d --crontab /var/spool/cron/crontabs --store redis://10.0.0.5/\n\nA line of a crontab is the same task on two hosts only if its fields, user and command are alike to the letter, or\na comment above it names it: # sexton: name = \"backup\""
    )]
    Run(RunArguments),
    /// Check a file: exit 0, or 2 with every error in it
    #[command(
        after_help = "Examples:\n  sexton check tasks.toml\n  sexton check --strict --crontab /etc/crontab --crontab /etc/cron.d"
    )]
    Check(CheckArguments),
    /// Print when an expression is due next
    #[command(
        after_help = "Examples:\n  sexton next '30 9 * * MON-FRI' --tz Europe/Paris\n  sexton next --every 90s --from 2026-01-01T00:00:00Z --count 3 --json\n  sexton next --kron '0/15 * * * *'\n  sexton next '0 9 * * MON-FRI' '0 11 * * SAT' --except 2026-12-24..2027-01-02\n  sexton next 'H H(0-5) * * *' --task backup"
    )]
    Next(ExpressionArguments),
    /// Say in plain English when an expression is due
    #[command(
        after_help = "Examples:\n  sexton explain '0 0 1,15 * 5'\n  sexton explain '30 2 * * *' --tz Europe/Paris --from 2026-03-28"
    )]
    Explain(ExpressionArguments),
    /// Show what ran, was skipped or was missed, newest first
    #[command(
        after_help = "Examples:\n  sexton history\n  sexton history backup --since 1d --state failed --state lost --output\n  sexton history --store sqlite:/var/lib/sexton.db --json"
    )]
    History(HistoryArguments),
    /// Show the tasks that the store knows: schedule, last execution, what runs, what is paused
    ///
    /// With --crontab only the tasks of those crontabs are shown, as far as the store knows them.
    Tasks(TasksArguments),
    /// Show the instances that the store knows: version, since when, last seen, clock, runs
    ///
    /// One that was not seen for 20 s is gone: it crashed, or is cut off from the store. One that shut down is not shown.
    Instances(InstancesArguments),
    /// Run a task now, once over all instances, besides its schedule
    #[command(
        after_help = "It has as many executions as each of its ticks. An instance takes it up within a heartbeat (5s)."
    )]
    Trigger(TriggerArguments),
    /// Pause a task all over the fleet: ticks that come due are skipped until it is resumed
    Pause(PauseArguments),
    /// Resume a task that is paused
    Resume(TaskArguments),
    /// Cancel what a task runs, on whichever instance
    #[command(
        after_help = "The instance learns of it within a heartbeat (5s), asks the run to end, and kills it after a grace period."
    )]
    Cancel(CancelArguments),
    /// Look after the store itself
    #[command(subcommand)]
    Store(StoreCommand),
}

impl Command {
    /// Whose time zone rules count for what it does.
    #[must_use]
    pub fn tz_data(&self) -> Source {
        let flags = match self {
            Command::Run(arguments) => arguments.file.zones,
            Command::Check(arguments) => arguments.file.zones,
            Command::Next(arguments) | Command::Explain(arguments) => arguments.zones,
            Command::History(arguments) => arguments.zones,
            Command::Tasks(arguments) => arguments.zones,
            Command::Instances(arguments) => arguments.zones,
            _ => ZoneFlags::default(),
        };
        flags.tz_data
    }
}

/// What to do with the store itself.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make the store's tables, or bring them to this program's version
    #[command(
        after_help = "Examples:\n  sexton store migrate --store postgres://owner@db.example/app\n  sexton store migrate --store postgres:///app --print | psql app\n\n`sexton run` does so by itself, if its user may create tables; once they are there, it need not."
    )]
    Migrate(MigrateArguments),
}

/// How to migrate.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// Print the SQL for somebody else to run, and connect to nothing
    #[arg(long)]
    pub print: bool,
    /// Print what leads on from this version of the tables [default: 0, no tables]
    #[arg(long, value_name = "VERSION", requires = "print", value_parser = clap::value_parser!(i64).range(0..))]
    pub from: Option<i64>,
    #[command(flatten)]
    /// The store's URL.
    pub store: StoreFlags,
    #[command(flatten)]
    /// Whose store it is.
    pub file: NamedFile,
}

/// The file whose store it is.
#[derive(Debug, Clone, Default, Args)]
pub struct NamedFile {
    /// The task file whose store and namespace it is
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The crontab, or folder of crontabs, whose store it is; may be given more than once
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    pub crontab: Vec<PathBuf>,
    #[command(flatten)]
    /// How the crontabs are read.
    pub reading: CrontabReading,
}

/// Where the copies agree.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreFlags {
    /// The store: sqlite:PATH, redis://…, postgres://…, mysql://…, mongodb://…, or memory: for one
    /// process alone; `${NAME}` is filled in from the environment [default: what --store-file,
    /// SEXTON_STORE or the task file says, or sqlite:sexton.db beside the file]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// A file that holds the store's URL, for URLs with a password
    #[arg(long, value_name = "PATH", conflicts_with = "store")]
    pub store_file: Option<PathBuf>,
}

/// Which store.
#[derive(Debug, Args)]
pub struct StoreArguments {
    #[command(flatten)]
    /// The store's URL.
    pub url: StoreFlags,
    #[command(flatten)]
    /// Whose store it is.
    pub file: NamedFile,
    /// The namespace in the store [default: the task file's, or `default`]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// What of the history.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Only this task's
    pub task: Option<String>,
    /// Only these states, like `failed` or `missed`; may be given more than once
    #[arg(long = "state", value_name = "STATE", value_parser = state)]
    pub states: Vec<ExecutionState>,
    /// Only ticks from this instant on, or from so long ago
    #[arg(long, value_name = "INSTANT|DURATION")]
    pub since: Option<String>,
    /// Only ticks before this instant, or before so long ago
    #[arg(long, value_name = "INSTANT|DURATION")]
    pub until: Option<String>,
    /// At most so many executions
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// Those of Sexton's own tasks too, whose names begin with `sexton:`
    #[arg(long)]
    pub all: bool,
    /// Show the errors and the end of the output in full
    #[arg(long)]
    pub output: bool,
    /// The IANA time zone of what is shown [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    #[command(flatten)]
    /// Whose time zone rules count.
    pub zones: ZoneFlags,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

/// Which tasks are shown, and how.
#[derive(Debug, Args)]
pub struct TasksArguments {
    /// Sexton's own tasks too, whose names begin with `sexton:`
    #[arg(long)]
    pub all: bool,
    /// The IANA time zone of what is shown [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    #[command(flatten)]
    /// Whose time zone rules count.
    pub zones: ZoneFlags,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

/// How the instances are shown.
#[derive(Debug, Args)]
pub struct InstancesArguments {
    /// The IANA time zone of what is shown [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    #[command(flatten)]
    /// Whose time zone rules count.
    pub zones: ZoneFlags,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

/// One task.
#[derive(Debug, Args)]
pub struct TaskArguments {
    /// The task
    pub task: String,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

/// What to run now.
#[derive(Debug, Args)]
pub struct TriggerArguments {
    /// The task
    pub task: String,
    /// Wait until it has run: exit 0 if every execution succeeded, 1 if not
    #[arg(long)]
    pub wait: bool,
    /// How long it may wait for an instance that starts it; then it is recorded as missed
    #[arg(long, value_name = "DURATION", default_value = WITHIN_DEFAULT, value_parser = crate::duration::parse)]
    pub within: std::time::Duration,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

/// What to pause, and why.
#[derive(Debug, Args)]
pub struct PauseArguments {
    /// The task
    pub task: String,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

/// What to cancel.
#[derive(Debug, Args)]
pub struct CancelArguments {
    /// The task
    pub task: String,
    /// Only the execution of this tick
    #[arg(long, value_name = "INSTANT", value_parser = tick)]
    pub tick: Option<Tick>,
    /// Only the execution of this concurrency index
    #[arg(long, value_name = "INDEX", value_parser = clap::value_parser!(u16).range(1..=i64::from(Concurrency::MAX)))]
    pub index: Option<u16>,
    #[command(flatten)]
    /// Which store.
    pub store: StoreArguments,
}

fn state(text: &str) -> Result<ExecutionState, String> {
    let known = || {
        let words = ExecutionState::ALL.map(ExecutionState::as_str);
        format!("allowed is one of {}", words.join(", "))
    };
    text.parse().map_err(|_| known())
}

fn tick(text: &str) -> Result<Tick, String> {
    let refused = |error| format!("{error}; allowed is an instant like 2026-12-24T18:00:00.000Z");
    text.parse().map_err(refused)
}

/// What to check, and how strictly.
#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    /// Which file.
    pub file: FileArguments,
    /// Exit 2 on a warning too
    #[arg(long)]
    pub strict: bool,
}

/// Which file.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").args(["file", "crontab"]).required(true)))]
pub struct FileArguments {
    /// The task file (TOML); `-` reads it from standard input
    pub file: Option<PathBuf>,
    /// Ordinary crontabs instead of a task file: a file, or a folder, of which the files are read
    /// that cron would read; may be given more than once. A line that cannot be used is left out
    /// with a warning, and the others run. The files of /var/spool/cron/crontabs run as the users
    /// whose names they have
    #[arg(long, value_name = "PATH")]
    pub crontab: Vec<PathBuf>,
    #[command(flatten)]
    /// How the crontabs are read.
    pub reading: CrontabReading,
    #[command(flatten)]
    /// Whose time zone rules count.
    pub zones: ZoneFlags,
}

/// How crontabs are read.
#[derive(Debug, Clone, Default, Args)]
pub struct CrontabReading {
    /// Whether the lines of the crontabs name a user; by default those of /etc/crontab and
    /// /etc/cron.d do
    #[arg(
        long,
        value_name = "FORM",
        requires = "crontab",
        conflicts_with = "file"
    )]
    pub crontab_form: Option<CrontabForm>,
    /// The user whose crontab it is, and as whom its commands run: for a single crontab whose lines
    /// name no user
    #[arg(long, value_name = "NAME", requires = "crontab", conflicts_with_all = ["file", "crontab_form"])]
    pub user: Option<String>,
}

impl CrontabReading {
    /// These paths, read so.
    pub(crate) fn of<'s>(&'s self, paths: &'s [PathBuf]) -> crontab::Selection<'s> {
        crontab::Selection {
            paths,
            form: self.crontab_form.map(Into::into),
            user: self.user.as_deref(),
        }
    }
}

/// Whether the lines of a crontab name a user.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum CrontabForm {
    /// `m h dom mon dow command`
    User,
    /// `m h dom mon dow user command`
    System,
}

impl From<CrontabForm> for crontab::Form {
    fn from(form: CrontabForm) -> crontab::Form {
        match form {
            CrontabForm::User => crontab::Form::User,
            CrontabForm::System => crontab::Form::System,
        }
    }
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    /// Which file.
    pub file: FileArguments,
    #[command(flatten)]
    /// The store's URL.
    pub store: StoreFlags,
    /// How long a store that cannot be reached is waited for at the start
    #[arg(long, value_name = "DURATION", default_value = STORE_WAIT_DEFAULT, value_parser = crate::duration::parse)]
    pub store_wait: Duration,
    /// A label of this instance, for tasks that are placed by labels; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<String>,
    /// At most so many runs at once on this instance [default: any number]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub running_max: Option<u32>,
    /// How long the program may take to end after SIGTERM or SIGINT, all in all; what still runs is
    /// asked to end 6 s before that, or after half of a grace below 12 s. The store is told for 2 s
    /// in any case
    #[arg(long, value_name = "DURATION", default_value = GRACE_DEFAULT, value_parser = crate::duration::parse)]
    pub grace: Duration,
    /// How events are written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

fn label(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(text.to_owned()),
        _ => Err("a label is written NAME=VALUE".to_owned()),
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

#[cfg(test)]
mod tests {
    use sexton::{Operator, SchedulerBuilder};

    use super::*;
    use crate::duration;

    #[test]
    fn what_the_help_says_is_what_the_library_does() {
        let within = duration::parse(WITHIN_DEFAULT);
        assert_eq!(within, Ok(Operator::TRIGGER_WITHIN));
        let heartbeat = duration::display(SchedulerBuilder::HEARTBEAT_DEFAULT);
        let help = |command: &str| {
            let mut whole = <Arguments as clap::CommandFactory>::command();
            let command = whole.find_subcommand_mut(command);
            command.map(|command| command.render_long_help().to_string())
        };
        for command in ["trigger", "cancel"] {
            let help = help(command).unwrap_or_default();
            assert!(help.contains(&format!("heartbeat ({heartbeat}")), "{help}");
        }
    }
}
