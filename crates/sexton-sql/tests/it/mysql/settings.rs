//! Servers whose settings are not the usual ones, and servers that are something else.

use sexton_core::lock::{ClaimLead, LockManager, TaskQuery, TransactionSlot};
use sexton_sql::mysql::MySqlOptions;
use sexton_sql::{OpenError, Tx};
use sexton_testkit::fixtures::{claim, grant};
use sexton_testkit::mariadb::{Maker, Server};
use sexton_testkit::process::Disk;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::{MySql, Row};

use crate::on_servers::TestServer;

/// Claims, and what was granted is committed.
async fn works(server: &Server, manager: &dyn LockManager, task: &str) {
    let batch = [claim(task, 0, "one")];
    let answer = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    grant(&answer.value[0]);
    let kept = sqlx::query("SELECT count(*) FROM sexton_registers WHERE task = ? AND fence = 1");
    let kept = kept.bind(task).fetch_one(&mut server.raw().await).await;
    assert_eq!(kept.unwrap().get::<i64, _>(0), 1);
}

/// Transactions that end begin the next one, or end the session, or none is ever ended by itself.
#[tokio::test]
async fn how_a_servers_transactions_end_by_default_changes_nothing() {
    for setting in [
        "autocommit=0",
        "completion-type=CHAIN",
        "completion-type=RELEASE",
    ] {
        let Some(server) = Server::start_with(Disk::Lazy, &[setting]) else {
            return;
        };
        let manager = server.open().await;
        works(&server, &manager, "ours").await;
        let all = TaskQuery::Page {
            after: None,
            limit: 10,
        };
        manager.tasks(&all).await.unwrap();
        let pool = MySqlPoolOptions::new().max_connections(1);
        let pool = pool.connect(&server.url()).await.unwrap();
        let manager = MySqlOptions::new().with_pool(pool.clone()).await.unwrap();
        works(&server, &manager, "lent").await;
        let said = "SELECT CONCAT(@@SESSION.autocommit + 0, ' ', @@SESSION.completion_type)";
        let said: String = sqlx::query_scalar(said).fetch_one(&pool).await.unwrap();
        let expected = match setting {
            "autocommit=0" => "0 NO_CHAIN",
            "completion-type=CHAIN" => "1 CHAIN",
            _ => "1 RELEASE",
        };
        assert_eq!(said, expected, "given back as it was");
        // Somebody has looked at something, and not ended the transaction that this began.
        sqlx::query("SELECT * FROM sexton_tasks")
            .fetch_all(&pool)
            .await
            .unwrap();
        let slot = TransactionSlot::new(std::sync::Arc::new(manager.clone()));
        Tx::<MySql>::of(slot).unwrap().begin().await.unwrap();
    }
}

/// As by a proxy or by `init_connect`.
#[tokio::test]
async fn sessions_that_begin_with_autocommit_off_commit_all_the_same() {
    let Some(server) = Server::start_with(Disk::Lazy, &["init-connect=SET autocommit=0"]) else {
        return;
    };
    works(&server, &server.open().await, "digest").await;
}

#[tokio::test]
async fn tables_are_made_where_rows_are_compact_by_default() {
    let settings = ["innodb-default-row-format=COMPACT"];
    let Some(server) = Server::start_with(Disk::Lazy, &settings) else {
        return;
    };
    works(&server, &server.open().await, "digest").await;
}

/// They speak MySQL's protocol, and lack what is needed.
#[tokio::test]
async fn a_service_that_is_no_mysql_is_recognised_at_the_start() {
    if matches!(Maker::here(), Maker::MySql { .. }) {
        eprintln!("not run: MySQL says its own version, whatever it is told");
        return;
    }
    for version in ["8.0.11-TiDB-v7.5.0", "8.0.34-Vitess"] {
        let setting = format!("version={version}");
        let Some(server) = Server::start_with(Disk::Lazy, &[&setting]) else {
            return;
        };
        let opened = MySqlOptions::new().connect(&server.url()).await;
        let error = opened.unwrap_err();
        assert!(
            matches!(error, OpenError::UnknownServer { .. }),
            "{error:?}"
        );
        let said = error.to_string();
        assert!(said.contains(version), "{said}");
        assert!(said.contains("docs/stores/mysql.md"), "{said}");
        assert!(!error.is_transient());
    }
}
