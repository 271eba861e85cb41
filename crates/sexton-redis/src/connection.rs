//! A connection that comes back by itself, and scripts run over it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value,
};
use sexton_core::clock::Clock;
use sexton_core::lock::LockError;
use sexton_core::name::Namespace;

use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::error::{ConnectError, Unconfirmed, lock_error, unavailable, unreadable};
use crate::options::RedisOptions;
use crate::scripts::Script;

/// In the order in which the prelude takes them.
const KEYS: [&str; 16] = [
    "reg", "live", "rec", "run", "wait", "lane", "wake", "bare", "hist", "ahead", "cancel",
    "pause", "def", "tasks", "inst", "meta",
];

/// What a claim waits for behind its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    None,
    Replicas { replicas: u32, limit: Duration },
    AppendOnlyFiles { replicas: u32, limit: Duration },
}

impl Confirmation {
    fn command(self) -> Option<Cmd> {
        // Zero would be for ever.
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1);
        match self {
            Confirmation::None => None,
            Confirmation::Replicas { replicas, limit } => {
                let mut wait = redis::cmd("WAIT");
                wait.arg(replicas).arg(millis(limit));
                Some(wait)
            }
            Confirmation::AppendOnlyFiles { replicas, limit } => {
                let mut wait = redis::cmd("WAITAOF");
                wait.arg(1).arg(replicas).arg(millis(limit));
                Some(wait)
            }
        }
    }

    fn limit(self) -> Duration {
        match self {
            Confirmation::None => Duration::ZERO,
            Confirmation::Replicas { limit, .. } | Confirmation::AppendOnlyFiles { limit, .. } => {
                limit
            }
        }
    }

    /// Whether what the server answered is enough.
    fn check(self, answer: &Value) -> Result<(), Unconfirmed> {
        let (found, wanted, name) = match (self, answer) {
            (Confirmation::Replicas { replicas, .. }, Value::Int(found)) => {
                (*found, i64::from(replicas), "replicas")
            }
            (Confirmation::AppendOnlyFiles { replicas, .. }, Value::Array(counts)) => {
                let count = counts.iter().map(|count| match count {
                    Value::Int(count) => *count,
                    _ => 0,
                });
                (count.sum(), i64::from(replicas) + 1, "append-only files")
            }
            _ => return Ok(()),
        };
        if found >= wanted {
            return Ok(());
        }
        let wanted = format!("{wanted} {name}");
        Err(Unconfirmed {
            found,
            wanted,
            limit: self.limit(),
        })
    }
}

/// Clones share the connection.
#[derive(Clone)]
pub(crate) struct Connection {
    manager: ConnectionManager,
    pub(crate) location: Arc<str>,
    keys: Arc<[String]>,
    confirmation: Confirmation,
    clock: Option<Arc<dyn Clock>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// The server for people to read, without secrets.
fn location(client: &Client) -> String {
    let info = client.get_connection_info();
    format!("redis://{}/{}", info.addr(), info.redis_settings().db())
}

impl Connection {
    pub(crate) async fn open(
        url: &str,
        options: &RedisOptions,
    ) -> Result<Connection, ConnectError> {
        let client = Client::open(url).map_err(ConnectError::Url)?;
        let location = location(&client);
        let response_timeout = options.response_timeout + options.confirmation.limit();
        let looking = look(
            &client,
            &location,
            options.connect_timeout,
            response_timeout,
        );
        match tokio::time::timeout(options.connect_timeout, looking).await {
            Ok(looked) => looked?,
            Err(_) => {
                let limit = options.connect_timeout;
                return Err(ConnectError::TimedOut {
                    store: location,
                    limit,
                });
            }
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(response_timeout))
            // Whoever calls tries again itself, with a pause that grows.
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(20));
        let manager = ConnectionManager::new_with_config(client, config).await;
        Ok(Connection {
            manager: manager.map_err(|error| ConnectError::of(&location, error))?,
            location: location.into(),
            keys: keys(&options.namespace),
            confirmation: options.confirmation,
            clock: options.clock.clone(),
        })
    }

    /// The same connection for another namespace.
    pub(crate) fn in_namespace(&self, namespace: &Namespace) -> Connection {
        Connection {
            keys: keys(namespace),
            ..self.clone()
        }
    }

    fn command(&self, name: &str, script: &str, arguments: &Arguments) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len());
        self.keys.iter().for_each(|key| {
            command.arg(key);
        });
        arguments.iter().for_each(|argument| {
            command.arg(argument);
        });
        let now = self
            .clock
            .as_ref()
            .map(|clock| clock.now().as_microsecond().to_string());
        command.arg(now.unwrap_or_default());
        command
    }

    /// Runs a script. What was lost on the way is [`LockError::Unavailable`].
    pub(crate) async fn run(
        &self,
        action: &'static str,
        script: &Script,
        arguments: &Arguments,
    ) -> Result<Answers, LockError> {
        self.run_and(action, script, arguments, Confirmation::None)
            .await
    }

    /// Runs a script that grants, and waits until the grants are where they are to be.
    pub(crate) async fn run_confirmed(
        &self,
        action: &'static str,
        script: &Script,
        arguments: &Arguments,
    ) -> Result<Answers, LockError> {
        self.run_and(action, script, arguments, self.confirmation)
            .await
    }

    async fn run_and(
        &self,
        action: &'static str,
        script: &Script,
        arguments: &Arguments,
        confirmation: Confirmation,
    ) -> Result<Answers, LockError> {
        let command = self.command("EVALSHA", &script.digest, arguments);
        let answered = match self.send(command, confirmation).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                // A new server, or one that was flushed. With the script itself it knows it from then on.
                let command = self.command("EVAL", &script.code, arguments);
                self.send(command, confirmation).await
            }
            answered => answered,
        };
        let (answer, confirmed) =
            answered.map_err(|error| lock_error(&self.location, action, error))?;
        confirmation
            .check(&confirmed)
            .map_err(|unconfirmed| unavailable(&self.location, action, unconfirmed))?;
        match answer {
            Value::Array(values) => Ok(Answers::new(Arc::clone(&self.location), values)),
            other => Err(unreadable(
                &self.location,
                format!("{other:?} as an answer"),
            )),
        }
    }

    /// The server's clock, or that of a test.
    pub(crate) async fn time(&self) -> Result<Timestamp, LockError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("TIME");
        let answers = self.pipeline("read its clock", &pipeline).await?;
        let read = || {
            let Some(Value::Array(parts)) = answers.first() else {
                return None;
            };
            let mut parts = parts.iter().map(|part| match part {
                Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse::<i64>().ok(),
                _ => None,
            });
            let (seconds, micros) = (parts.next()??, parts.next()??);
            Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
        };
        read().ok_or_else(|| unreadable(&self.location, format!("{answers:?} as its clock")))
    }

    /// Bare commands, in one go; an answer for each. None goes nowhere.
    pub(crate) async fn pipeline(
        &self,
        action: &'static str,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, LockError> {
        let count = pipeline.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut manager = self.manager.clone();
        let sending = manager.send_packed_commands(pipeline, 0, count).await;
        let answers = sending.and_then(|answers| {
            let checked = answers.into_iter().map(Value::extract_error);
            checked.collect::<Result<Vec<Value>, RedisError>>()
        });
        answers.map_err(|error| lock_error(&self.location, action, error))
    }

    /// Both commands in one go: `WAIT` answers only for the writes of its own connection before it.
    async fn send(
        &self,
        command: Cmd,
        confirmation: Confirmation,
    ) -> Result<(Value, Value), RedisError> {
        let mut manager = self.manager.clone();
        let Some(wait) = confirmation.command() else {
            let answer = manager
                .send_packed_command(&command)
                .await?
                .extract_error()?;
            return Ok((answer, Value::Nil));
        };
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(command).add_command(wait);
        let mut answers = manager
            .send_packed_commands(&pipeline, 0, 2)
            .await?
            .into_iter();
        let mut next = || match answers.next() {
            Some(Value::ServerError(error)) => Err(RedisError::from(error)),
            Some(value) => Ok(value),
            None => Ok(Value::Nil),
        };
        Ok((next()?, next()?))
    }
}

/// The keys of a namespace. The braces put all of them into one slot of a cluster.
fn keys(namespace: &Namespace) -> Arc<[String]> {
    let key = |name: &&str| format!("sexton:{{{namespace}/0}}:{name}");
    KEYS.iter().map(key).collect()
}

/// Logs in and looks at what the server says of itself.
async fn look(
    client: &Client,
    store: &str,
    connect_timeout: Duration,
    response_timeout: Duration,
) -> Result<(), ConnectError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect_timeout))
        .set_response_timeout(Some(response_timeout));
    let connecting = client
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    let mut connection = connecting.map_err(|error| ConnectError::of(store, error))?;
    let pinged: Result<String, RedisError> = redis::cmd("PING").query_async(&mut connection).await;
    pinged.map_err(|error| ConnectError::of(store, error))?;
    match eviction_policy(&mut connection).await {
        Some(policy) if policy != "noeviction" => Err(ConnectError::Unusable {
            store: store.to_owned(),
            advice: format!(
                "its maxmemory-policy is {policy}, so it may throw away the watermarks that keep a tick from running \
                 twice: set it to noeviction, or use a server of Sexton's own"
            ),
            source: None,
        }),
        _ => Ok(()),
    }
}

/// What it does when its memory is full, if it has a limit and this user may ask.
async fn eviction_policy(connection: &mut MultiplexedConnection) -> Option<String> {
    let asked: Result<String, RedisError> = redis::cmd("INFO")
        .arg("memory")
        .query_async(connection)
        .await;
    let info = asked.ok()?;
    let value = |name: &str| {
        let mut lines = info.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    if value("maxmemory")? == "0" {
        return None;
    }
    value("maxmemory_policy").map(str::to_owned)
}
