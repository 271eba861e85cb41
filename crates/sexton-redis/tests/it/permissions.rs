//! Users of few permissions, and servers on which commands are missing.

use std::time::Duration;

use redis::ErrorKind;
use sexton_core::lock::{Claim, HistoryQuery, LockManager, TaskQuery, Verdict};
use sexton_core::policy::{Delivery, Lease};
use sexton_redis::{ConnectError, RedisLockManager, RedisOptions};
use sexton_testkit::redis::{Cluster, Server, is_declared_absent};

use crate::asking::{ask, claim, told};

/// What the documentation grants: to those who run tasks, then to those who look.
pub(crate) fn documented() -> Vec<Vec<String>> {
    let page = include_str!("../../../../docs/stores/redis.md");
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("ACL SETUSER "));
    lines
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect()
}

/// The arguments of a server that has a user, since users do not outlive it otherwise.
pub(crate) fn with_user(rules: &[String]) -> Vec<String> {
    // `CLIENT SETINFO` came with 7.2; the driver does without.
    let rules = rules.iter().filter(|rule| *rule != "+client|setinfo");
    let user = ["--user".to_owned()].into_iter();
    user.chain(rules.cloned()).collect()
}

async fn start_with(arguments: &[String]) -> Server {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Server::start_with(&arguments).await
}

#[tokio::test]
async fn the_documented_user_is_enough_and_may_destroy_nothing() {
    if is_declared_absent() {
        return;
    }
    let documented = documented();
    assert_eq!(documented.len(), 2, "{documented:?}");
    for rules in documented.into_iter().take(1) {
        let server = start_with(&with_user(&rules)).await;
        let url = format!("redis://sexton:secret@127.0.0.1:{}/0", server.port());
        let waiting = RedisOptions::new().wait_for_replicas(0, Duration::from_secs(1));
        let manager = waiting.connect(&url).await.unwrap();
        let granted = ask(&manager, &claim(1)).await.unwrap();
        assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
        manager.history(&HistoryQuery::default()).await.unwrap();
        let client = redis::Client::open(url).unwrap();
        let mut client = client.get_multiplexed_async_connection().await.unwrap();
        for destroys in [
            "FLUSHALL",
            "MIGRATE 127.0.0.1 1 sexton:k 0 1",
            "CLIENT KILL TYPE normal",
            "CLIENT LIST",
            "FLUSHDB",
            "SWAPDB 0 1",
            "FUNCTION FLUSH",
            "SCRIPT FLUSH",
            "CONFIG GET *",
            "ACL LIST",
            "KEYS *",
            "DEL app:k",
        ] {
            let mut words = destroys.split(' ');
            let mut command = redis::cmd(words.next().unwrap());
            words.for_each(|word| {
                command.arg(word);
            });
            let refused = command.exec_async(&mut client).await;
            let code = refused.as_ref().err().and_then(|error| error.code());
            assert_eq!(code, Some("NOPERM"), "{destroys}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn the_documented_looker_reads_everything_and_writes_nothing() {
    if is_declared_absent() {
        return;
    }
    let documented = documented();
    let mut arguments = with_user(&documented[0]);
    arguments.extend(with_user(&documented[1]));
    let server = start_with(&arguments).await;
    let url = |user: &str| format!("redis://{user}:secret@127.0.0.1:{}/", server.port());
    let looks = url("looker");
    let look = || RedisOptions::new().read_only().connect(&looks);
    let looker = look().await.unwrap();
    let query = HistoryQuery {
        limit: 10,
        ..HistoryQuery::default()
    };
    assert_eq!(looker.history(&query).await.unwrap().value, []);
    let keys = redis::cmd("DBSIZE");
    let mut client = server.client().await;
    assert_eq!(keys.query_async::<i64>(&mut client).await.unwrap(), 0);

    let writer = RedisLockManager::connect(&url("sexton")).await.unwrap();
    ask(&writer, &leased(1)).await.unwrap();
    let looker = look().await.unwrap();
    assert_eq!(looker.history(&query).await.unwrap().value.len(), 1);
    let page = TaskQuery::Page {
        after: None,
        limit: 10,
    };
    assert_eq!(looker.tasks(&page).await.unwrap().value.len(), 1);
    assert_eq!(looker.instances().await.unwrap().value.len(), 0);
    let error = ask(&looker, &claim(2)).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_user_is_told_at_the_start_what_it_may_not_do() {
    if is_declared_absent() {
        return;
    }
    let least = documented().remove(0);
    for missing in ["+eval", "+evalsha", "+zrem", "+hset", "+time", "+wait"] {
        let rules: Vec<String> = least
            .iter()
            .filter(|rule| *rule != missing)
            .cloned()
            .collect();
        let server = start_with(&with_user(&rules)).await;
        let url = format!("redis://sexton:secret@127.0.0.1:{}/", server.port());
        let waiting = RedisOptions::new().wait_for_replicas(0, Duration::from_secs(1));
        let error = waiting.connect(&url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
        let command = missing[1..].to_uppercase();
        let said = error.to_string();
        assert!(said.contains(&format!("{command} ")), "{missing}: {said}");
        assert!(said.contains("docs/stores/redis.md"), "{said}");
    }
    let server = start_with(&with_user(&[
        "sexton".to_owned(),
        "on".to_owned(),
        ">secret".to_owned(),
        "~app:*".to_owned(),
        "+@all".to_owned(),
    ]))
    .await;
    let url = format!("redis://sexton:secret@127.0.0.1:{}/", server.port());
    let error = RedisLockManager::connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("sexton:*"), "{error}");
}

#[tokio::test]
async fn commands_that_were_renamed_away_are_named_at_the_start() {
    if is_declared_absent() {
        return;
    }
    for renamed in ["EVALSHA", "EVAL", "ZADD", "HSETNX", "WAIT"] {
        let server = Server::start_with(&["--rename-command", renamed, "OTHER"]).await;
        let waiting = RedisOptions::new().wait_for_replicas(0, Duration::from_secs(1));
        let error = waiting.connect(&server.url()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
        let said = told(&error);
        assert!(said.contains(renamed), "{renamed}: {said}");
        assert!(said.contains("rename-command"), "{said}");
    }
}

/// A claim that is written by more commands than a plain one.
fn leased(number: i64) -> Claim {
    let mut claim = claim(number);
    claim.lease = Lease::new(Duration::from_secs(1)).unwrap();
    claim.delivery = Delivery::AtLeastOnce {
        attempts_max: std::num::NonZeroU32::new(3).unwrap(),
    };
    claim
}

#[tokio::test]
async fn a_command_that_is_renamed_away_later_is_refused_and_no_outage() {
    if is_declared_absent() {
        return;
    }
    for renamed in ["EVALSHA", "ZADD"] {
        let mut server = Server::start().await;
        let manager = RedisLockManager::connect(&server.url()).await.unwrap();
        ask(&manager, &claim(1)).await.unwrap();
        server.kill();
        server.arguments(&["--rename-command", renamed, "OTHER"]);
        server.begin().await;
        // Finds that the connection is lost.
        let lost = ask(&manager, &leased(2)).await.unwrap_err();
        assert!(lost.is_transient(), "{lost:?}");
        let error = ask(&manager, &leased(2)).await.unwrap_err();
        assert!(!error.is_transient(), "{renamed}: {error:?}");
        assert!(told(&error).contains("rename-command"), "{}", told(&error));
    }
}

/// Writes that wait for a file that the server does not have would never be confirmed.
#[tokio::test]
async fn append_only_files_that_are_waited_for_are_there_or_it_is_told() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start_with(&["--appendonly", "no"]).await;
    let waiting = RedisOptions::new().wait_for_append_only_files(0, Duration::from_secs(1));
    let error = waiting.connect(&server.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("WAITAOF"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_the_documented_user_and_the_slots_are_enough() {
    if is_declared_absent() {
        return;
    }
    let cluster = Cluster::start().await;
    let mut rules = documented().remove(0);
    rules.push("+cluster|slots".to_owned());
    for master in &cluster.masters {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER");
        for rule in with_user(&rules).iter().skip(1) {
            command.arg(rule);
        }
        let mut client = master.client().await;
        command.exec_async(&mut client).await.unwrap();
    }
    let url = |login: &str| cluster.url().replace("://", &format!("://{login}@"));
    let manager = RedisLockManager::connect(&url("sexton:secret"))
        .await
        .unwrap();
    let granted = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
    // The driver only says that no node will do.
    let error = RedisLockManager::connect(&url("sexton:wrong"))
        .await
        .unwrap_err();
    let ConnectError::Authentication { source, .. } = error else {
        panic!("{error:?}");
    };
    assert_ne!(source.kind(), ErrorKind::Io);
}
