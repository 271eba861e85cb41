//! Everything about the driver.
//!
//! The driver's futures run in spawned tasks: calls have limits and are dropped, but a future of
//! the driver that is dropped half-way may leave the driver in disorder, and costs a connection
//! (<https://jira.mongodb.org/browse/RUST-937>).

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::Document;
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{
    ClientOptions, ConnectionString, HostInfo, ReadPreference, SelectionCriteria, Tls,
};
use mongodb::{Client, Database};
use sexton_core::lock::engine::Unavailable;
use sexton_core::url::StoreUrl;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::StoreError;
use crate::open_error::OpenError;
use crate::parameters::PARAMETERS;
use crate::store::{Cause, CommandError, Store, cause_of_code};
use crate::tls::{self, LastProblem};

/// How many limits of a call a command may take, though nobody waits for it any more: one to find a
/// server, one to connect, one to run. A command that takes longer hangs on a dead connection.
const LIMITS_MAX: u32 = 3;
/// Which part of a call's limit the driver may look for a server, and connect to one. Where it finds
/// none it reports the cause, which the call's own limit would hide; the call then tries again.
const SELECTIONS_IN_A_LIMIT: u32 = 2;
const CONNECTIONS_IN_A_LIMIT: u32 = 3;

/// The target of a URL. Does not show its secrets.
#[derive(Clone)]
pub(crate) struct Target {
    url: String,
    hosts: String,
    database: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location())
    }
}

impl Target {
    /// # Errors
    /// [`OpenError::BadUrl`]
    pub(crate) fn parse(url: &str) -> Result<Target, OpenError> {
        let bad = |problem: String| OpenError::BadUrl { problem };
        let parts = StoreUrl::parse(url).map_err(|error| bad(error.to_string()))?;
        let parts = parts.lowercase_names();
        let checked = parts.check_parameters(&PARAMETERS);
        checked.map_err(|error| bad(error.to_string()))?;
        let parsed = ConnectionString::parse(url).map_err(|error| bad(problem(&error, url)))?;
        let database = parsed.default_database.clone();
        let database = database.ok_or_else(|| bad("it names no database".to_owned()))?;
        Ok(Target {
            url: url.to_owned(),
            hosts: hosts(&parsed.host_info),
            database,
        })
    }

    /// For people to read: without user, password and parameters.
    pub(crate) fn location(&self) -> String {
        let scheme = self.url.split(':').next().unwrap_or("mongodb");
        format!("{scheme}://{}/{}", self.hosts, self.database)
    }
}

fn hosts(host_info: &HostInfo) -> String {
    match host_info {
        HostInfo::HostIdentifiers(hosts) => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            hosts.join(",")
        }
        HostInfo::DnsRecord(host) => host.clone(),
        _ => "?".to_owned(),
    }
}

/// What the driver finds wrong with a URL, unless its text repeats a word of the URL behind the
/// scheme: that may be a password, or a piece of one in which something special was not written as
/// `%40` or the like.
fn problem(error: &Error, url: &str) -> String {
    let secret = url.split_once("://").map_or(url, |(_, rest)| rest);
    let secret: HashSet<&str> = words(secret).collect();
    match &*error.kind {
        ErrorKind::InvalidArgument { message, .. }
            if !words(message).any(|word| secret.contains(word)) =>
        {
            message.clone()
        }
        _ => "it cannot be read; percent-encode what is special in user or password: `@` is written %40".to_owned(),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty())
}

/// The driver's client, on one database.
pub(crate) struct Driver {
    database: Database,
    is_ours: bool,
    command_max: Duration,
    last_problem: LastProblem,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.database.name())
    }
}

impl Driver {
    /// Nothing is connected to yet, but hosts may be looked up.
    pub(crate) async fn connect(
        target: &Target,
        ca_file: Option<PathBuf>,
        limit: Duration,
        deadline: Instant,
    ) -> Result<Driver, OpenError> {
        let resolving = timeout_at(deadline, ClientOptions::parse(&target.url));
        let resolved = resolving.await.map_err(|_| stalled(limit, target))?;
        let mut options = resolved.map_err(|error| in_opening(error, target))?;
        let within = |given: Option<Duration>, most: Duration| {
            Some(given.map_or(most, |given| given.min(most)))
        };
        let given = options.server_selection_timeout;
        options.server_selection_timeout = within(given, limit / SELECTIONS_IN_A_LIMIT);
        options.connect_timeout = within(options.connect_timeout, limit / CONNECTIONS_IN_A_LIMIT);
        if let Some(Tls::Enabled(tls)) = &mut options.tls {
            tls.ca_file_path = tls.ca_file_path.take().or(ca_file);
        }
        let last_problem = LastProblem::default();
        options.sdam_event_handler = Some(last_problem.handler());
        options.app_name.get_or_insert_with(|| "sexton".to_owned());
        let client = Client::with_options(options).map_err(|error| in_opening(error, target))?;
        Ok(Driver {
            database: client.database(&target.database),
            is_ours: true,
            command_max: limit * LIMITS_MAX,
            last_problem,
        })
    }

    pub(crate) fn of(database: Database, limit: Duration) -> Driver {
        Driver {
            database,
            is_ours: false,
            command_max: limit * LIMITS_MAX,
            last_problem: LastProblem::default(),
        }
    }
}

/// Runs a future in a spawned task, to its end even when nobody waits for it any more, but no longer
/// than `limit`.
async fn to_its_end<T: Send + 'static, E: Into<CommandError> + Send + 'static>(
    limit: Duration,
    doing: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, CommandError> {
    let transient = |source| CommandError {
        cause: Cause::Transient,
        source,
    };
    match tokio::spawn(timeout(limit, doing)).await {
        Ok(Ok(done)) => done.map_err(Into::into),
        Ok(Err(_)) => Err(transient(Box::new(Unavailable::Stalled { limit }))),
        // The runtime ends, or the driver has panicked.
        Err(broken) => Err(transient(Box::new(broken))),
    }
}

fn stalled(limit: Duration, target: &Target) -> OpenError {
    StoreError::from(Unavailable::Stalled { limit }).into_open_error(&target.location())
}

fn in_opening(error: Error, target: &Target) -> OpenError {
    if let ErrorKind::InvalidArgument { .. } = &*error.kind {
        return OpenError::BadUrl {
            problem: problem(&error, &target.url),
        };
    }
    StoreError::from(CommandError::from(error)).into_open_error(&target.location())
}

/// What the driver says, without its notes for itself.
fn said(error: &Error) -> String {
    error.kind.to_string()
}

fn primary() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::Primary)
}

#[async_trait]
impl Store for Driver {
    async fn run(&self, command: Document) -> Result<Document, CommandError> {
        let database = self.database.clone();
        let last_problem = self.last_problem.clone();
        let running = async move {
            let running = database.run_command(command);
            let ran = running.selection_criteria(primary()).await;
            ran.map_err(|error| explained(error, &last_problem))
        };
        to_its_end(self.command_max, running).await
    }

    async fn read(&self, command: Document) -> Result<Vec<Document>, CommandError> {
        let database = self.database.clone();
        let last_problem = self.last_problem.clone();
        let reading = async move {
            let running = database.run_cursor_command(command);
            let read = async {
                running
                    .selection_criteria(primary())
                    .await?
                    .try_collect()
                    .await
            };
            read.await.map_err(|error| explained(error, &last_problem))
        };
        to_its_end(self.command_max, reading).await
    }

    async fn close(&self) {
        if self.is_ours {
            self.database.client().clone().shutdown().await;
        }
    }
}

/// Where no server was to be had, why.
fn explained(error: Error, last_problem: &LastProblem) -> CommandError {
    let problem = match &*error.kind {
        ErrorKind::ServerSelection { .. } => last_problem.get(),
        _ => None,
    };
    match problem {
        Some(problem) => CommandError {
            cause: Cause::Permanent(problem),
            source: said(&error).into(),
        },
        None => error.into(),
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> CommandError {
        CommandError {
            cause: cause_of(&error),
            source: said(&error).into(),
        }
    }
}

fn cause_of(error: &Error) -> Cause {
    match &*error.kind {
        ErrorKind::Command(error) => cause_of_code(error.code),
        ErrorKind::Authentication { .. } => match code_beneath(error) {
            // Not said; BadValue, UserNotFound, ProtocolError, MechanismUnavailable; Atlas says
            // 8000 for a wrong password.
            None | Some(2 | 11 | 17 | 334 | 8000) => Cause::AuthenticationFailed,
            // A server that shuts down, or has no primary to ask, authenticates nobody either.
            Some(code) => cause_of_code(code),
        },
        ErrorKind::InvalidTlsConfig { .. } => {
            Cause::Permanent("its certificates or keys cannot be used")
        }
        ErrorKind::IncompatibleServer { .. } => {
            Cause::Permanent("MongoDB 4.4.2 or later is needed")
        }
        ErrorKind::Io(_) => tls::problem(error).map_or(Cause::Transient, Cause::Permanent),
        // The network, an election, a client that was shut down.
        _ => Cause::Transient,
    }
}

/// What the server said, where that is the cause of another error.
fn code_beneath(error: &Error) -> Option<i32> {
    let source = StdError::source(error)?;
    let boxed = || source.downcast_ref::<Box<Error>>().map(|source| &**source);
    let source = source.downcast_ref::<Error>().or_else(boxed)?;
    match &*source.kind {
        ErrorKind::Command(error) => Some(error.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_without_secrets() {
        let location = |url| Target::parse(url).unwrap().location();
        assert_eq!(
            location("mongodb://sexton:horse@a.example,b.example:27018/app?replicaSet=rs0"),
            "mongodb://a.example:27017,b.example:27018/app"
        );
        assert_eq!(
            location("mongodb+srv://sexton:horse@cluster.example/app"),
            "mongodb+srv://cluster.example/app"
        );
    }

    #[test]
    fn a_bad_url_is_told_without_its_password() {
        for url in [
            "mongodb://sexton:horse@a.example/",
            "mongodb://sexton:horse@a.example:port/app",
            "mongodb://sexton:hor@se@a.example/app",
            "http://sexton:horse@a.example/app",
            "mongodb://",
            // No host, and what is special not written as %3F.
            "mongodb://sexton:horse/app",
            "mongodb://sexton:hor?se@a.example/app",
            "mongodb+srv://sexton:horse/app",
            "mongodb://a.example/app?authMechanismProperties=horse",
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hor"), "{error}");
        }
        let error = Target::parse("mongodb://sexton:hor/se@a.example/app").unwrap_err();
        assert!(error.to_string().contains("%2F"), "{error}");
        let error = Target::parse("mongodb://a.example/").unwrap_err();
        assert!(error.to_string().contains("names no database"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_ends_by_itself_all_the_same() {
        const LIMIT: Duration = Duration::from_secs(15);
        let (done, is_done) = tokio::sync::oneshot::channel();
        let doing = async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let _ = done.send(());
            Ok::<(), Error>(())
        };
        let dropped = timeout(Duration::from_secs(5), to_its_end(LIMIT, doing)).await;
        assert!(dropped.is_err());
        is_done.await.unwrap();
        let hanging = to_its_end(LIMIT, std::future::pending::<Result<(), Error>>());
        let begun = Instant::now();
        assert_eq!(hanging.await.unwrap_err().cause, Cause::Transient);
        assert_eq!(begun.elapsed(), LIMIT);
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        let argument = Error::custom("anything");
        assert_eq!(cause_of(&argument), Cause::Transient);
        let io = Error::from(std::io::Error::other("reset"));
        assert_eq!(CommandError::from(io).cause, Cause::Transient);
    }
}
