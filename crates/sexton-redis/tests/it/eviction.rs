//! Servers that throw keys away when their memory is full.

use std::time::Duration;

use sexton_core::lock::Verdict;
use sexton_redis::{ConnectError, KtorError, RedisLockManager};
use sexton_testkit::redis::{Server, is_declared_absent};

use crate::asking::{ask, claim};

#[tokio::test]
async fn a_server_that_throws_any_key_away_is_refused() {
    if is_declared_absent() {
        return;
    }
    for policy in ["allkeys-lru", "allkeys-random"] {
        let arguments = ["--maxmemory", "100mb", "--maxmemory-policy", policy];
        let server = Server::start_with(&arguments).await;
        let error = RedisLockManager::connect(&server.url()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
        let said = error.to_string();
        assert!(
            said.contains(policy) && said.contains("set it to noeviction"),
            "{said}"
        );
    }
}

/// The default of most managed services: no key of Sexton's has an expiry, so none is thrown away.
#[tokio::test]
async fn a_server_that_throws_away_what_expires_keeps_every_key_of_sextons() {
    if is_declared_absent() {
        return;
    }
    for policy in [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let arguments = ["--maxmemory", "8mb", "--maxmemory-policy", policy];
        let server = Server::start_with(&arguments).await;
        let manager = RedisLockManager::connect(&server.url()).await.unwrap();
        let granted = ask(&manager, &claim(1)).await.unwrap();
        assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
        let mut client = server.client().await;
        for number in 0..4_000 {
            let mut set = redis::cmd("SET");
            let value = vec![b'x'; 4 << 10];
            set.arg(number).arg(value).arg("PX").arg(600_000);
            set.exec_async(&mut client).await.unwrap();
        }
        let mut info = redis::cmd("INFO");
        let info: String = info.arg("stats").query_async(&mut client).await.unwrap();
        assert!(
            !info.contains("evicted_keys:0\r"),
            "{policy}: nothing was thrown away"
        );
        let taken = ask(&manager, &claim(1)).await.unwrap();
        assert!(matches!(taken, Verdict::Denied(_)), "{policy}: {taken:?}");
    }
}

/// Its locks do expire.
#[tokio::test]
async fn locks_are_not_shared_with_the_kotlin_system_where_they_may_be_thrown_away() {
    if is_declared_absent() {
        return;
    }
    let arguments = ["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"];
    let server = Server::start_with(&arguments).await;
    let manager = RedisLockManager::connect(&server.url()).await.unwrap();
    let error = manager
        .ktor_compatible(Duration::from_secs(60))
        .unwrap_err();
    let policy = "volatile-lru".to_owned();
    assert_eq!(error, KtorError::Evicts { policy });
    assert!(
        error.to_string().contains("set it to noeviction"),
        "{error}"
    );
}
