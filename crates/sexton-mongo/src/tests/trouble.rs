//! What a server refuses, and what it holds that it should not.

use std::sync::Arc;

use mongodb::bson::{Bson, doc};
use sexton_core::lock::{
    ClaimLead, LockError, LockManager, PauseChange, TaskDefinition, TaskQuery,
};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::{claim, instance, noon, task};

use super::server::{Fault, Server};
use crate::{MongoLockManager, MongoOptions};

fn server() -> Arc<Server> {
    Server::with_clock(Arc::new(noon()))
}

async fn refused(manager: &MongoLockManager) -> LockError {
    let batch = [claim("t", 0, "one")];
    let answer = manager.claim(ClaimLead::default(), &batch).await;
    answer.unwrap_err()
}

/// An error with its causes.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

#[tokio::test(start_paused = true)]
async fn a_server_that_only_reads_is_an_outage_and_then_over() {
    let server = server();
    let manager = server.manager().await;
    server.be_read_only(true);
    let error = refused(&manager).await;
    assert!(error.is_transient());
    insta::assert_snapshot!(told(&error), @"memory is unavailable while trying to claim: the server is read-only: a standby, or a failover in progress");
    server.be_read_only(false);
    let batch = [claim("t", 0, "one")];
    manager.claim(ClaimLead::default(), &batch).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_by_itself_is_told_with_what_to_do() {
    let server = server();
    let manager = server.manager().await;
    let mut errors = Vec::new();
    for code in [13, 18, 59, 79] {
        server.fail([Fault::Refused(code)]);
        let error = refused(&manager).await;
        assert!(!error.is_transient(), "{code}");
        errors.push(told(&error));
    }
    insta::assert_snapshot!(errors.join("\n"), @r"
    memory refuses to claim: its user lacks privileges: the role readWrite on the database is enough: code 13
    memory refuses to claim: authentication failed: check user, password and authSource: code 18
    memory refuses to claim: the server does not know the command: MongoDB 4.4.2 or later is needed: code 59
    memory refuses to claim: it cannot have a majority of its members: check the replica set's configuration: code 79
    ");
}

#[tokio::test(start_paused = true)]
async fn an_election_is_waited_for_within_the_limit() {
    let server = server();
    let manager = server.manager().await;
    // NotWritablePrimary, InterruptedDueToReplStateChange.
    server.fail([
        Fault::Refused(10_107),
        Fault::Refused(11_602),
        Fault::Unheard,
    ]);
    let batch = [claim("t", 0, "one")];
    manager.claim(ClaimLead::default(), &batch).await.unwrap();
    assert!(server.has_failed());
    server.fail([Fault::Unheard; 1_000]);
    assert!(refused(&manager).await.is_transient());
}

#[tokio::test]
async fn a_document_that_nobody_wrote_is_told_with_its_key() {
    let server = server();
    let manager = server.manager().await;
    let key = doc! { "namespace": "default", "task": "t", "index": 1_i64 };
    let register = doc! { "_id": key, "version": "first" };
    server.put("sexton_registers", register);
    let error = refused(&manager).await;
    assert!(!error.is_transient());
    insta::assert_snapshot!(error, @r#"memory holds "first" as the version of { "namespace": "default", "task": "t", "index": 1 }, which this version of sexton cannot read"#);
}

#[tokio::test]
async fn a_newer_layout_is_refused_with_both_versions() {
    let server = server();
    server.put("sexton_layout", doc! { "_id": "layout", "version": 7_i64 });
    let opening = MongoOptions::new().open(server, "memory".to_owned());
    insta::assert_snapshot!(opening.await.unwrap_err(), @"memory has collections of version 7, this version of sexton knows up to 1: update sexton");
}

#[tokio::test]
async fn what_runs_is_not_read_where_tasks_are_listed() {
    let server = server();
    let manager = server.manager().await;
    let batch = [claim("t", 0, "one")];
    manager.claim(ClaimLead::default(), &batch).await.unwrap();
    // It would be complained of by whoever read it.
    let mut register = server.documents("sexton_registers").pop().unwrap();
    register.insert("open", "whatever runs");
    server.put("sexton_registers", register);
    let page = TaskQuery::Page {
        after: None,
        limit: 10,
    };
    let tasks = manager.tasks(&page).await.unwrap().value;
    let [(_, register)] = tasks[0].registers[..] else {
        panic!("{tasks:?}");
    };
    assert_eq!(register.watermark, Some(batch[0].execution.tick));
    assert_eq!(register.fence.get(), 1);
}

#[tokio::test]
async fn a_task_of_which_nobody_knows_since_when_can_be_paused_and_read() {
    let server = server();
    let manager = server.manager().await;
    let one = instance("one");
    let definition = TaskDefinition {
        task: task("t"),
        schedule: "at noon".to_owned(),
        canonical: "at noon".to_owned(),
        concurrency: Concurrency::ONE,
        definition: "{}".to_owned(),
    };
    manager.define(&one, &[definition]).await.unwrap();
    let mut document = server.documents("sexton_tasks").pop().unwrap();
    document.remove("known_since").unwrap();
    server.put("sexton_tasks", document);
    let pause = PauseChange::Pause {
        note: "lunch".to_owned(),
        by: "ops".to_owned(),
    };
    manager.change_pause(&[task("t")], &pause).await.unwrap();
    let mut document = server.documents("sexton_tasks").pop().unwrap();
    assert!(!document.contains_key("known_since"), "{document}");
    // So an earlier version wrote it.
    document.insert("known_since", Bson::Null);
    server.put("sexton_tasks", document);
    let named = TaskQuery::Named(vec![task("t")]);
    let tasks = manager.tasks(&named).await.unwrap().value;
    assert_eq!(tasks[0].known_since, None);
    assert!(tasks[0].pause.is_some(), "{tasks:?}");
}
