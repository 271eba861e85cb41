//! What Sentinels say when they name no master.

use sexton_core::lock::{LockError, Verdict};
use sexton_redis::{ConnectError, RedisLockManager};
use sexton_testkit::redis::{MASTER, Watched, is_declared_absent};

use crate::asking::{ask, claim, patient, told};
use crate::permissions::{documented, with_user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_they_do_not_watch_is_told_with_those_that_they_do() {
    if is_declared_absent() {
        return;
    }
    let watched = Watched::start().await;
    let url = watched.url().replace(MASTER, "elsewhere");
    let error = RedisLockManager::connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
    let said = told(&error);
    assert!(said.contains("no master of that name"), "{said}");
    assert!(
        said.contains("elsewhere") && said.contains(MASTER),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_down_with_nobody_to_take_over_is_an_outage_and_told_as_that() {
    if is_declared_absent() {
        return;
    }
    let mut watched = Watched::start().await;
    let manager = patient().connect(&watched.url()).await.unwrap();
    watched
        .kill_all_and_wait_until_they_are_known_to_be_down()
        .await;
    let error = RedisLockManager::connect(&watched.url()).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.is_transient());
    assert!(told(&error).contains("master is down"), "{}", told(&error));
    // The first call finds the connection that is lost.
    for _ in 0..2 {
        let error = ask(&manager, &claim(1)).await.unwrap_err();
        assert!(matches!(error, LockError::Unavailable { .. }), "{error:?}");
    }
    let error = ask(&manager, &claim(1)).await.unwrap_err();
    assert!(told(&error).contains("master is down"), "{}", told(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_them_the_documented_user_is_enough() {
    if is_declared_absent() {
        return;
    }
    let watched = Watched::start().await;
    let user = with_user(&documented().remove(0));
    for server in &watched.servers {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER");
        for rule in &user[1..] {
            command.arg(rule);
        }
        let mut client = server.client().await;
        command.exec_async(&mut client).await.unwrap();
    }
    let url = watched.url().replace("://", "://sexton:secret@");
    let manager = RedisLockManager::connect(&url).await.unwrap();
    let granted = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_sentinel_is_told() {
    if is_declared_absent() {
        return;
    }
    let server = sexton_testkit::redis::Server::start().await;
    let url = format!("redis+sentinel://127.0.0.1:{}/{MASTER}", server.port());
    let error = RedisLockManager::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("no Sentinel"), "{error}");
}
