//! Whether a server can be used: looked at once, when it is connected to.

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use sexton_core::name::Namespace;

use crate::buckets::Buckets;
use crate::confirmation::Confirmation;
use crate::error::{ConnectError, PERMISSIONS};
use crate::link::Link;
use crate::options::Access;
use crate::scripts::{LOOK_PROBE, PROBE};

/// What a server turned out to be.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) buckets: Buckets,
    /// Its `maxmemory-policy`, if it throws away keys that have an expiry.
    pub(crate) evicts: Option<String>,
}

async fn send_all(link: &Link, pipeline: &Pipeline, key: &str) -> Result<Vec<Value>, RedisError> {
    let answers = link.send(pipeline, key).await?;
    let checked = answers.into_iter().map(Value::extract_error);
    checked.collect()
}

fn unusable(store: &str, advice: String, source: Option<RedisError>) -> ConnectError {
    ConnectError::Unusable {
        store: store.to_owned(),
        advice,
        source,
    }
}

/// Looks at what the servers say of themselves, and how the namespace is kept there.
pub(crate) async fn look(
    link: &Link,
    store: &str,
    namespace: &Namespace,
    wanted: Option<u16>,
    confirmation: Confirmation,
    access: Access,
) -> Result<Looked, ConnectError> {
    let mut ping = Pipeline::new();
    ping.cmd("PING");
    let pinging = send_all(link, &ping, Buckets::new(namespace, 1).home()).await;
    pinging.map_err(|error| ConnectError::of(store, error))?;
    let buckets = agreed(link, store, namespace, wanted, access).await?;
    let looked_at = if link.is_cluster() {
        buckets.count()
    } else {
        1
    };
    let mut evicts = None;
    for bucket in 0..looked_at {
        let key = buckets.key(bucket);
        probe(link, store, &buckets.probed(bucket), confirmation, access).await?;
        if access == Access::Look {
            continue;
        }
        match eviction_policy(link, key).await {
            None => {}
            Some(policy) if policy == "noeviction" => {}
            // No key of ours has an expiry.
            Some(policy) if policy.starts_with("volatile-") => evicts = Some(policy),
            Some(policy) => {
                let advice = format!(
                    "its maxmemory-policy is {policy}, so it may throw away the watermarks that keep a tick from running twice: \
                     set it to noeviction or volatile-lru, or use a server of Sexton's own"
                );
                return Err(unusable(store, advice, None));
            }
        }
    }
    Ok(Looked { buckets, evicts })
}

/// How many buckets the namespace has: as many as whoever came first gave it.
async fn agreed(
    link: &Link,
    store: &str,
    namespace: &Namespace,
    wanted: Option<u16>,
    access: Access,
) -> Result<Buckets, ConnectError> {
    let default = if link.is_cluster() {
        Buckets::IN_A_CLUSTER
    } else {
        Buckets::ON_A_SERVER
    };
    let ours = wanted.unwrap_or(default);
    let home = Buckets::new(namespace, 1);
    let mut asking = Pipeline::new();
    let meta = home.meta();
    if access == Access::Write {
        asking.cmd("HSETNX").arg(meta).arg("buckets").arg(ours);
    }
    asking.cmd("HGET").arg(meta).arg("buckets");
    let answers = send_all(link, &asking, meta).await;
    let answers = answers.map_err(|error| ConnectError::of(store, error))?;
    let kept = match answers.last() {
        Some(Value::BulkString(digits)) => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<u16>().ok()),
        // Nobody has used the namespace: a looker finds nothing in it.
        Some(Value::Nil) if access == Access::Look => Some(ours),
        _ => None,
    };
    let kept = kept.filter(|count| Buckets::ALLOWED.contains(count));
    let kept = kept.ok_or_else(|| {
        let advice = format!("{meta} does not say in how many buckets the namespace is kept");
        unusable(store, advice, None)
    })?;
    match wanted {
        Some(wanted) if wanted != kept => {
            let advice = format!(
                "the namespace is kept in {kept} buckets, not in {wanted}: replicas that counted differently would run ticks twice"
            );
            Err(unusable(store, advice, None))
        }
        _ => Ok(Buckets::new(namespace, kept)),
    }
}

/// Tries every command once, so that what is missing is told now and not as an outage later.
async fn probe(
    link: &Link,
    store: &str,
    keys: &[String; 3],
    confirmation: Confirmation,
    access: Access,
) -> Result<(), ConnectError> {
    let tried = match access {
        Access::Write => &*PROBE,
        Access::Look => &*LOOK_PROBE,
    };
    let [key, ..] = keys;
    let script = |name: &str, script: &str| {
        let mut pipeline = Pipeline::new();
        pipeline.cmd(name).arg(script).arg(keys.len()).arg(keys);
        pipeline
    };
    let lacks = |command: &str, error| match ConnectError::of(store, error) {
        ConnectError::Unusable { source, .. } => {
            let advice = format!("{command} does not work there: {PERMISSIONS}");
            unusable(store, advice, source)
        }
        other => other,
    };
    let by_digest = send_all(link, &script("EVALSHA", &tried.digest), key).await;
    let is_unknown =
        |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
    match by_digest {
        Err(error) if !is_unknown(&error) => return Err(lacks("EVALSHA (a Lua script)", error)),
        _ => {}
    }
    let broken = send_all(link, &script("EVAL", &tried.code), key).await;
    let broken = broken.map_err(|error| lacks("EVAL (a Lua script)", error))?;
    let broken: Vec<String> = broken
        .into_iter()
        .next()
        .and_then(|broken| redis::from_redis_value(broken).ok())
        .unwrap_or_default();
    if !broken.is_empty() {
        let advice = format!(
            "its scripts cannot call {}: {PERMISSIONS}",
            broken.join(", ")
        );
        return Err(unusable(store, advice, None));
    }
    let Some((name, wait)) = confirmation.probe().filter(|_| access == Access::Write) else {
        return Ok(());
    };
    let mut waiting = Pipeline::new();
    waiting.add_command(wait);
    let waited = send_all(link, &waiting, key).await;
    waited.map(|_| ()).map_err(|error| lacks(name, error))
}

/// What it does when its memory is full, if it has a limit and this user may ask.
async fn eviction_policy(link: &Link, key: &str) -> Option<String> {
    let mut asking = Pipeline::new();
    asking.cmd("INFO").arg("memory");
    let answers = send_all(link, &asking, key).await.ok()?;
    let info: String = redis::from_redis_value(answers.into_iter().next()?).ok()?;
    let value = |name: &str| {
        let mut lines = info.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    if value("maxmemory")? == "0" {
        return None;
    }
    value("maxmemory_policy").map(str::to_owned)
}
