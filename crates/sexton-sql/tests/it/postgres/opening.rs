//! Databases that cannot be used, users with few privileges, tables of other names: each as it is
//! told.

use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::{
    ClaimLead, HeldLock, HistoryQuery, InstanceReport, LockManager, Outcome, Retention, Settlement,
};
use sexton_core::name::Incarnation;
use sexton_sql::OpenError;
use sexton_sql::postgres::{Migrations, PostgresOptions};
use sexton_testkit::fixtures::{claim, grant, instance};
use sexton_testkit::postgres::{PASSWORD, Server};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Row};

use crate::on_servers::TestServer;

async fn refusal(options: PostgresOptions, url: &str) -> OpenError {
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
    server.ask_for_passwords().await;
    let url = server.url().replace("correct", "wrong");
    let error = refusal(PostgresOptions::new(), &url).await;
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
    PostgresOptions::new().connect(&server.url()).await.unwrap();
    assert!(server.url().contains(PASSWORD.split_once(' ').unwrap().1));
}

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let Some(mut server) = Server::start() else {
        return;
    };
    server.kill();
    let error = refusal(PostgresOptions::new(), &server.url()).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = server.url().replace("/template1?", "/nowhere?");
    let error = refusal(PostgresOptions::new(), &url).await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("/nowhere"), "{error}");
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
    let error = refusal(PostgresOptions::new(), &server.url()).await;
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
    let options = PostgresOptions::new().migrations(Migrations::Refuse);
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
    let count = sqlx::query("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'sexton%'");
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
    let options = PostgresOptions::new().schema("jobs").table_prefix("app_");
    server.run(&options.migration_sql(0).unwrap()).await;
    server
        .run(
            "CREATE ROLE replica LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
             GRANT USAGE ON SCHEMA jobs TO replica; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO replica; \
             REVOKE INSERT, UPDATE, DELETE ON jobs.app_versions FROM replica",
        )
        .await;
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
    let error = refusal(PostgresOptions::new(), &url).await;
    assert!(whole(&error).contains("permission denied"), "{error:?}");
    server
        .run("REVOKE UPDATE ON jobs.app_registers FROM replica")
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
    let options = |schema: &str| PostgresOptions::new().schema(schema);
    server
        .run(&options("printed").migration_sql(0).unwrap())
        .await;
    options("applied")
        .connect(&server.url())
        .await
        .unwrap()
        .close()
        .await;
    let mut found = Vec::new();
    for schema in ["printed", "applied"] {
        let sql = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
             FROM information_schema.columns WHERE table_schema = $1 \
             UNION ALL SELECT replace(indexdef, $1, '') FROM pg_indexes WHERE schemaname = $1 ORDER BY 1";
        let rows = sqlx::query_scalar::<_, String>(sql).bind(schema);
        found.push(rows.fetch_all(&mut server.raw().await).await.unwrap());
    }
    assert_eq!(found[0], found[1]);
    insta::assert_snapshot!(found[0].join("\n"));
}

#[tokio::test]
async fn two_prefixes_in_one_schema_know_nothing_of_each_other() {
    let Some(server) = Server::start() else {
        return;
    };
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect(&server.url())
        .await
        .unwrap();
    for prefix in ["one_", "two_", "one_"] {
        let options = PostgresOptions::new().table_prefix(prefix);
        let manager = options.with_pool(pool.clone()).await.unwrap();
        let answer = manager.instances().await.unwrap();
        assert!(answer.value.is_empty());
    }
    for prefix in ["one_", "two_"] {
        let options = PostgresOptions::new().table_prefix(prefix);
        works(&options.with_pool(pool.clone()).await.unwrap()).await;
        let sql = AssertSqlSafe(format!("SELECT fence FROM {prefix}registers"));
        let fence: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
        assert_eq!(fence, 1);
    }
}

#[tokio::test]
async fn a_text_with_a_nul_is_kept_with_its_picture() {
    let Some(server) = Server::start() else {
        return;
    };
    let manager = server.open().await;
    let claim = claim("digest", 0, "one");
    let answer = manager
        .claim(ClaimLead::default(), std::slice::from_ref(&claim))
        .await
        .unwrap()
        .whole()
        .unwrap();
    let lock = HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant(&answer.value[0]).fence,
    };
    let settlement = Settlement::new(lock, Outcome::Failed, answer.now, answer.now);
    manager
        .settle(&[settlement.with_error("a\0b")])
        .await
        .unwrap()
        .whole()
        .unwrap();
    let records = manager.history(&HistoryQuery::default()).await;
    assert_eq!(
        records.unwrap().value[0].error.as_deref(),
        Some("a\u{2400}b")
    );
}
