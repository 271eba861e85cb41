//! What a manager makes when it is opened, and what it does not need.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;
use sexton_testkit::fixtures::{claim, noon};

use super::server::{Fault, Server};
use crate::{Indexes, MongoOptions, OpenError};

fn server() -> Arc<Server> {
    Server::with_clock(Arc::new(noon()))
}

#[tokio::test]
async fn many_who_open_at_once_make_one_layout() {
    let server = server();
    let namespace = Namespace::default();
    let opening = (0..10).map(|_| server.open(&namespace));
    futures::future::join_all(opening).await;
    assert_eq!(server.documents("sexton_layout").len(), 1);
}

#[tokio::test]
async fn indexes_are_made_unless_they_are_somebody_elses_business() {
    let server = server();
    server.manager().await;
    let made = |commands: Vec<String>| {
        commands
            .iter()
            .filter(|one| *one == "createIndexes")
            .count()
    };
    assert_eq!(made(server.commands()), 4);
    let options = MongoOptions::new().indexes(Indexes::Expect);
    let manager = options.open(server.clone(), "memory".to_owned()).await;
    assert_eq!(made(server.commands()), 0);
    let batch = [claim("t", 0, "one")];
    let lead = sexton_core::lock::ClaimLead::default();
    manager.unwrap().claim(lead, &batch).await.unwrap();
}

#[tokio::test]
async fn collections_of_another_prefix_know_nothing_of_each_other() {
    let server = server();
    let open = |prefix| {
        let options = MongoOptions::new().collection_prefix(prefix);
        options.open(server.clone(), "memory".to_owned())
    };
    let (one, other) = (open("one_").await.unwrap(), open("other_").await.unwrap());
    let lead = sexton_core::lock::ClaimLead::default();
    for manager in [&one, &other] {
        let answer = manager
            .claim(lead, &[claim("t", 0, "one")])
            .await
            .unwrap()
            .whole()
            .unwrap();
        assert!(answer.value[0].grant().is_some());
    }
    assert!(matches!(
        open("System.").await,
        Err(OpenError::BadName { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_may_be_there_later_and_a_refusal_stays() {
    let server = server();
    let open = || {
        let options = MongoOptions::new().wait_max(Duration::from_secs(1));
        options.open(server.clone(), "memory".to_owned())
    };
    server.fail([Fault::Unheard]);
    assert!(open().await.unwrap_err().is_transient());
    for code in [13, 18, 59] {
        server.fail([Fault::Refused(code)]);
        assert!(!open().await.unwrap_err().is_transient(), "{code}");
    }
    server.be_read_only(true);
    assert!(open().await.unwrap_err().is_transient());
    server.be_read_only(false);
    open().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_at_a_port_where_nobody_listens_is_unreachable() {
    let url = "mongodb://sexton:horse@127.0.0.1:1/app";
    let options = MongoOptions::new().wait_max(Duration::from_millis(200));
    let error = options.connect(url).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("horse"), "{error:?}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_not_an_outage() {
    let url = "mongodb://127.0.0.1:1/app?tls=true&tlsCAFile=/no/such.pem";
    let error = MongoOptions::new().connect(url).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
}
