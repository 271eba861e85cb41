//! Databases that cannot be used, users with few privileges, tables of other names: each as it is
//! told.

use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::{
    ClaimLead, HeldLock, HistoryQuery, InstanceReport, LockManager, Outcome, Retention, Settlement,
};
use sexton_core::name::Incarnation;
use sexton_sql::OpenError;
use sexton_sql::mysql::{Migrations, MySqlOptions};
use sexton_testkit::fixtures::{claim, grant, instance};
use sexton_testkit::mariadb::{PASSWORD, Server};
use sexton_testkit::process::Disk;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::{AssertSqlSafe, Row};

use crate::on_servers::TestServer;

async fn refusal(options: MySqlOptions, url: &str) -> OpenError {
    options.connect(url).await.unwrap_err()
}

/// What all the sources of an error say, one behind the other.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[tokio::test]
async fn a_wrong_password_is_told_without_showing_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = server.url().replace("correct", "wrong");
    let error = refusal(MySqlOptions::new(), &url).await;
    assert!(
        matches!(error, OpenError::AuthenticationFailed { .. }),
        "{error:?}"
    );
    let said = whole(&error);
    assert!(!said.contains("horse"), "{said}");
    assert!(
        said.contains("127.0.0.1") && !error.is_transient(),
        "{said}"
    );
    MySqlOptions::new().connect(&server.url()).await.unwrap();
    assert!(server.url().contains(PASSWORD.split_once(' ').unwrap().1));
}

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let Some(mut server) = Server::start() else {
        return;
    };
    server.kill();
    let error = refusal(MySqlOptions::new(), &server.url()).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = server.url().replace("/bells?", "/new?");
    let error = refusal(MySqlOptions::new(), &url).await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("/new"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let Some(server) = Server::start() else {
        return;
    };
    server.open().await.close().await;
    server
        .run("INSERT INTO sexton_versions (version) VALUES (99)")
        .await;
    let error = refusal(MySqlOptions::new(), &server.url()).await;
    let is_told = matches!(
        error,
        OpenError::NewerSchema {
            found: 99,
            known: 1,
            ..
        }
    );
    assert!(is_told, "{error:?}");
}

#[tokio::test]
async fn without_migrations_missing_tables_are_an_error_and_nothing_is_made() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = MySqlOptions::new().migrations(Migrations::Refuse);
    let error = refusal(options, &server.url()).await;
    let is_told = matches!(
        error,
        OpenError::OlderSchema {
            found: 0,
            needed: 1,
            ..
        }
    );
    assert!(is_told, "{error:?}");
    let count = sqlx::query(
        "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'sexton%'",
    );
    let found: i64 = count
        .fetch_one(&mut server.raw().await)
        .await
        .unwrap()
        .get(0);
    assert_eq!(found, 0);
}

/// Claims and settles one execution: what any replica must be able to do.
async fn works(manager: &dyn LockManager) {
    let claim = claim("digest", 0, "one");
    let batch = std::slice::from_ref(&claim);
    let answer = manager
        .claim(ClaimLead::default(), batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    let lock = HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant(&answer.value[0]).fence,
    };
    let settlement = Settlement::new(lock, Outcome::Succeeded, answer.now, answer.now);
    manager
        .settle(&[settlement])
        .await
        .unwrap()
        .whole()
        .unwrap();
    let pruned = manager.prune(&Retention::default(), 10).await.unwrap();
    assert_eq!(pruned.value, 1);
}

#[tokio::test]
async fn a_role_without_create_works_on_tables_that_were_made_from_the_printed_script() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = MySqlOptions::new().schema("jobs").table_prefix("app_");
    server.run(&options.migration_sql(0).unwrap()).await;
    let user = format!(
        "CREATE USER replica@'%' IDENTIFIED BY '{PASSWORD}'; \
         GRANT SELECT ON bells.* TO replica@'%'; \
         GRANT SELECT ON jobs.app_versions TO replica@'%'; "
    );
    let others = ["registers", "executions", "tasks", "instances"];
    let grant = |table| {
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON jobs.app_{table} TO replica@'%'; ")
    };
    let script = user + &others.map(grant).concat();
    server.run(&script).await;
    let url = server.url().replace("sexton:", "replica:");
    let manager = options.connect(&url).await.unwrap();
    works(&manager).await;
    let report = InstanceReport {
        instance: instance("one"),
        incarnation: Incarnation::random(),
        started_at: Timestamp::UNIX_EPOCH,
        version: "1".to_owned(),
        clock_offset: None,
        running: 0,
        presence: Duration::from_secs(60),
    };
    manager.heartbeat(&report).await.unwrap();
    let error = refusal(MySqlOptions::new(), &url).await;
    assert!(whole(&error).contains("command denied"), "{error:?}");
    server
        .run("REVOKE UPDATE ON jobs.app_registers FROM replica@'%'")
        .await;
    let batch = [claim("digest", 1, "one")];
    let error = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap_err();
    assert!(
        !error.is_transient() && error.to_string().contains("privileges"),
        "{error}"
    );
}

#[tokio::test]
async fn the_printed_script_makes_what_the_manager_makes() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = |schema: &str| MySqlOptions::new().schema(schema);
    server
        .run(&options("printed").migration_sql(0).unwrap())
        .await;
    let url = server.url().replace("sexton:", "admin:");
    options("applied")
        .connect(&url)
        .await
        .unwrap()
        .close()
        .await;
    let mut found = Vec::new();
    for schema in ["printed", "applied"] {
        // Servers differ in how they compare the names of a schema.
        let sql = "SELECT line FROM ( \
             SELECT CONVERT(CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, collation_name) USING utf8mb4) AS line \
             FROM information_schema.columns WHERE table_schema = ? \
             UNION ALL SELECT CONVERT(CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name) USING utf8mb4) \
             FROM information_schema.statistics WHERE table_schema = ?) AS lines_of_both ORDER BY line COLLATE utf8mb4_general_ci";
        let rows = sqlx::query_scalar::<_, String>(sql)
            .bind(schema)
            .bind(schema);
        found.push(rows.fetch_all(&mut server.raw().await).await.unwrap());
    }
    assert_eq!(found[0], found[1]);
    let lines: Vec<String> = found[0].iter().map(|line| with_widths(line)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// The types of a column as MariaDB says them: MySQL leaves out the widths of numbers.
fn with_widths(line: &str) -> String {
    let widths = [
        ("bigint", "bigint(20)"),
        ("int", "int(11)"),
        ("tinyint", "tinyint(4)"),
    ];
    let words = line.split(' ').map(|word| {
        let wide = widths.iter().find(|(bare, _)| *bare == word);
        wide.map_or(word, |(_, wide)| *wide)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn two_prefixes_in_one_schema_know_nothing_of_each_other() {
    let Some(server) = Server::start() else {
        return;
    };
    let pool = MySqlPoolOptions::new()
        .max_connections(2)
        .connect(&server.url())
        .await
        .unwrap();
    for prefix in ["one_", "two_", "one_"] {
        let options = MySqlOptions::new().table_prefix(prefix);
        let manager = options.with_pool(pool.clone()).await.unwrap();
        let answer = manager.instances().await.unwrap();
        assert!(answer.value.is_empty());
    }
    for prefix in ["one_", "two_"] {
        let options = MySqlOptions::new().table_prefix(prefix);
        works(&options.with_pool(pool.clone()).await.unwrap()).await;
        let sql = AssertSqlSafe(format!("SELECT fence FROM {prefix}registers"));
        let fence: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
        assert_eq!(fence, 1);
    }
}

#[tokio::test]
async fn a_pools_connections_are_given_back_as_they_were() {
    let Some(server) = Server::start() else {
        return;
    };
    let pool = MySqlPoolOptions::new()
        .max_connections(1)
        .connect(&server.url())
        .await
        .unwrap();
    let sql = "SELECT CONCAT(@@SESSION.innodb_lock_wait_timeout, ' ', @@SESSION.lock_wait_timeout)";
    let timeouts = async || -> String { sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap() };
    let before = timeouts().await;
    let options = MySqlOptions::new().wait_max(Duration::from_secs(3));
    let manager = options.with_pool(pool.clone()).await.unwrap();
    works(&manager).await;
    assert_eq!(timeouts().await, before);
    assert!(!before.starts_with("3 "), "{before}");
}

#[tokio::test]
async fn a_batch_of_long_outputs_is_written_in_pieces_that_a_packet_can_hold() {
    let Some(server) = Server::start_with(Disk::Lazy, &["max-allowed-packet=1M"]) else {
        return;
    };
    let manager = server.open().await;
    let claims: Vec<_> = (0..40)
        .map(|number| claim(&format!("task-{number}"), 0, "one"))
        .collect();
    let answer = manager
        .claim(ClaimLead::default(), &claims)
        .await
        .unwrap()
        .whole()
        .unwrap();
    // Each is several times as long in JSON.
    let output = "\u{1}".repeat(Settlement::OUTPUT_BYTES_MAX);
    let settle = |(claim, verdict): (sexton_core::lock::Claim, &_)| {
        let lock = HeldLock {
            execution: claim.execution,
            claim_id: claim.claim_id,
            fence: grant(verdict).fence,
        };
        Settlement::new(lock, Outcome::Succeeded, answer.now, answer.now).with_output(&output)
    };
    let settlements: Vec<_> = claims.into_iter().zip(&answer.value).map(settle).collect();
    manager.settle(&settlements).await.unwrap().whole().unwrap();
    let records = manager.history(&HistoryQuery::default()).await.unwrap();
    assert_eq!(records.value.len(), 40);
    assert!(
        records
            .value
            .iter()
            .all(|record| record.output.as_deref() == Some(&output))
    );
}
