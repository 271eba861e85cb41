//! Scripts and commands sent to a server, and their answers.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use sexton_core::clock::Clock;
use sexton_core::lock::LockError;

use crate::address::Address;
use crate::answer::Answers;
use crate::arguments::Arguments;
use crate::buckets::Buckets;
use crate::checks::{Looked, look};
use crate::confirmation::Confirmation;
use crate::error::{ConnectError, lock_error, unavailable, unreadable};
use crate::link::Link;
use crate::options::RedisOptions;
use crate::parts::Parts;
use crate::scripts::Script;

/// A script, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    action: &'static str,
    script: &'static Script,
    is_confirmed: bool,
}

impl Call {
    pub(crate) fn new(action: &'static str, script: &'static Script) -> Call {
        Call {
            action,
            script,
            is_confirmed: false,
        }
    }

    /// Waits until what it writes is where it is to be.
    pub(crate) fn confirmed(self) -> Call {
        Call {
            is_confirmed: true,
            ..self
        }
    }
}

/// Clones share the link.
#[derive(Clone)]
pub(crate) struct Connection {
    link: Link,
    pub(crate) location: Arc<str>,
    pub(crate) buckets: Buckets,
    parts: Arc<Parts>,
    /// What the server does with keys that have an expiry when its memory is full, if it throws
    /// them away.
    pub(crate) evicts: Option<String>,
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

impl Connection {
    pub(crate) async fn open(
        url: &str,
        mut options: RedisOptions,
    ) -> Result<Connection, ConnectError> {
        let address = Address::parse(url)?;
        if let Some(confirmation) = address.confirmation {
            options.confirmation = confirmation;
        }
        let opening = async {
            let link = Link::open(&address, &options).await?;
            let looked = look(
                &link,
                &address.location,
                &options.namespace,
                options.buckets,
                options.confirmation,
                options.access,
            );
            let looked = looked.await?;
            Ok((link, looked))
        };
        match tokio::time::timeout(options.connect_timeout, opening).await {
            Ok(Ok((link, Looked { buckets, evicts }))) => Ok(Connection {
                link,
                location: address.location.into(),
                parts: Arc::new(Parts::new(buckets.count())),
                buckets,
                evicts,
                confirmation: options.confirmation,
                clock: options.clock.clone(),
            }),
            // Connecting has the same limit: which of them ends first is chance.
            Ok(Err(ConnectError::Unreachable { source, .. })) if source.is_timeout() => Err(
                ConnectError::timed_out(&address.location, options.connect_timeout),
            ),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ConnectError::timed_out(
                &address.location,
                options.connect_timeout,
            )),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.link.is_cluster()
    }

    fn command(&self, name: &str, script: &str, bucket: usize, arguments: &Arguments) -> Cmd {
        let mut command = redis::cmd(name);
        let keys = self.buckets.keys(bucket);
        command.arg(script).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        for argument in arguments.iter() {
            command.arg(argument);
        }
        let now = self
            .clock
            .as_ref()
            .map(|clock| clock.now().as_microsecond().to_string());
        command.arg(now.unwrap_or_default());
        command
    }

    /// Runs a script on a bucket. What was lost on the way is [`LockError::Unavailable`].
    pub(crate) async fn run(
        &self,
        call: Call,
        bucket: usize,
        arguments: &Arguments,
    ) -> Result<Answers, LockError> {
        let Call { action, script, .. } = call;
        let confirmation = if call.is_confirmed {
            self.confirmation
        } else {
            Confirmation::None
        };
        let command = self.command("EVALSHA", &script.digest, bucket, arguments);
        let answered = match self.send(command, bucket, confirmation).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                // A new server, or one that was flushed. With the script itself it knows it from
                // then on.
                let command = self.command("EVAL", &script.code, bucket, arguments);
                self.send(command, bucket, confirmation).await
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

    /// Runs a script on several buckets side by side; what each of them answers.
    pub(crate) async fn run_each(
        &self,
        call: Call,
        parts: &[(usize, Arguments)],
    ) -> Vec<Result<Answers, LockError>> {
        let runs = parts
            .iter()
            .map(|(bucket, arguments)| (*bucket, self.run(call, *bucket, arguments)));
        self.ask(call, runs).await
    }

    /// Runs a script on these buckets side by side; what each of them answers.
    pub(crate) async fn run_in(
        &self,
        call: Call,
        buckets: Range<usize>,
        arguments: &Arguments,
    ) -> Vec<Result<Answers, LockError>> {
        let runs = buckets.map(|bucket| (bucket, self.run(call, bucket, arguments)));
        self.ask(call, runs).await
    }

    async fn ask(
        &self,
        call: Call,
        runs: impl Iterator<Item = (usize, impl Future<Output = Result<Answers, LockError>>)>,
    ) -> Vec<Result<Answers, LockError>> {
        let slack = match call.is_confirmed {
            true => self.confirmation.limit(),
            false => Duration::ZERO,
        };
        let asked = self.parts.ask(&self.location, call.action, slack, runs);
        asked.await
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
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let sending = self.link.send(pipeline, self.buckets.home()).await;
        let checked = sending.and_then(|answers| {
            let checked = answers.into_iter().map(Value::extract_error);
            checked.collect()
        });
        checked.map_err(|error| lock_error(&self.location, action, error))
    }

    /// Both commands in one go: `WAIT` answers only for the writes of its own connection before it.
    async fn send(
        &self,
        command: Cmd,
        bucket: usize,
        confirmation: Confirmation,
    ) -> Result<(Value, Value), RedisError> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(command);
        if let Some(wait) = confirmation.command() {
            pipeline.add_command(wait);
        }
        let key = self.buckets.key(bucket);
        let mut answers = self.link.send(&pipeline, key).await?.into_iter();
        let mut next = || match answers.next() {
            Some(Value::ServerError(error)) => Err(RedisError::from(error)),
            Some(value) => Ok(value),
            None => Ok(Value::Nil),
        };
        Ok((next()?, next()?))
    }
}
