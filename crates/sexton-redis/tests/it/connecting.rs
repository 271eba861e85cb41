//! Connecting, and what is said when that fails.

use std::time::Duration;

use sexton_core::lock::{HistoryQuery, LockManager, Verdict};
use sexton_redis::{ConnectError, RedisLockManager, RedisOptions};

use crate::asking::{ask, claim};
use crate::server::{Server, is_declared_absent};

#[tokio::test]
async fn a_wrong_password_is_told() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start_with(&["--requirepass", "right"]).await;
    for login in ["", ":wrong@", "somebody:right@"] {
        let url = format!("redis://{login}127.0.0.1:{}/", server.port());
        let error = RedisLockManager::connect(&url).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Authentication { .. }),
            "{login}: {error:?}"
        );
        assert!(!error.to_string().contains("right"), "{error}");
    }
    let url = format!("redis://:right@127.0.0.1:{}/3", server.port());
    let manager = RedisLockManager::connect(&url).await.unwrap();
    assert_eq!(
        manager.location(),
        format!("redis://127.0.0.1:{}/3", server.port())
    );
    manager.now().await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_told_and_so_is_a_server_that_is_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("redis://{}/", listener.local_addr().unwrap());
    let options = RedisOptions::new().connect_timeout(Duration::from_millis(200));
    let error = options.connect(&silent).await.unwrap_err();
    let is_told = matches!(
        error,
        ConnectError::TimedOut { .. } | ConnectError::Unreachable { .. }
    );
    assert!(is_told, "{error:?}");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = RedisLockManager::connect(&format!("redis://{gone}/"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    let error = RedisLockManager::connect("http://:secret@example.org")
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Url { .. }), "{error:?}");
    assert!(!format!("{error}").contains("secret"));
}

#[tokio::test]
async fn a_server_that_throws_keys_away_is_refused() {
    if is_declared_absent() {
        return;
    }
    let server =
        Server::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let error = RedisLockManager::connect(&server.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
    assert!(
        error.to_string().contains("set it to noeviction"),
        "{error}"
    );
}

#[tokio::test]
async fn a_user_with_the_documented_permissions_is_enough_and_one_with_less_is_told() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut allow = async |user: &str, rules: &[&str]| {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(user).arg("on").arg(">secret");
        rules.iter().for_each(|rule| {
            command.arg(rule);
        });
        command.exec_async(&mut client).await.unwrap();
    };
    let documented = [
        "~sexton:*",
        "+@read",
        "+@write",
        "+@connection",
        "+eval",
        "+evalsha",
        "+time",
        "+wait",
        "+info",
    ];
    allow("app", &documented).await;
    allow("none", &["~sexton:*", "+@connection", "+@read", "+@write"]).await;
    allow("elsewhere", &["~app:*", "+@all"]).await;
    let connect = async |user: &str| {
        let url = format!("redis://{user}:secret@127.0.0.1:{}/", server.port());
        RedisLockManager::connect(&url).await
    };
    let manager = connect("app").await.unwrap();
    let granted = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
    manager.history(&HistoryQuery::default()).await.unwrap();
    let manager = connect("none").await.unwrap();
    let error = ask(&manager, &claim(2)).await.unwrap_err();
    assert!(
        error.to_string().contains("give the user the commands"),
        "{error}"
    );
    let error = connect("elsewhere").await.unwrap_err();
    assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
}
