//! Connecting, and what is said when that fails.

use std::time::Duration;

use sexton_core::lock::LockManager;
use sexton_redis::{ConnectError, RedisLockManager, RedisOptions};
use sexton_testkit::redis::{Server, is_declared_absent};

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
