//! What may stand in a URL, and services that are something else than PostgreSQL.

use sexton_sql::OpenError;
use sexton_sql::postgres::PostgresOptions;
use sexton_testkit::postgres::Server;

#[tokio::test]
async fn channel_binding_that_need_not_be_is_taken() {
    let Some(server) = Server::start() else {
        return;
    };
    for mode in ["prefer", "disable"] {
        let url = format!("{}&channel_binding={mode}", server.url());
        PostgresOptions::new().connect(&url).await.unwrap();
    }
}

/// They speak PostgreSQL's protocol, and lack what is needed.
#[tokio::test]
async fn a_service_that_is_no_postgresql_is_recognised_at_the_start() {
    let Some(server) = Server::start() else {
        return;
    };
    for version in [
        "CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu)",
        "PostgreSQL 8.0.2 on i686-pc-linux-gnu, Redshift 1.0.75677",
    ] {
        let disguise = format!(
            "CREATE SCHEMA IF NOT EXISTS other; CREATE OR REPLACE FUNCTION other.version() \
             RETURNS text LANGUAGE sql AS $$ SELECT '{version}' $$"
        );
        server.run(&disguise).await;
        let url = format!(
            "{}&options[search_path]=other,pg_catalog,public",
            server.url()
        );
        let error = PostgresOptions::new().connect(&url).await.unwrap_err();
        let is_told = match &error {
            OpenError::UnknownServer { lacks, page, .. } => {
                lacks.contains("NOTIFY") && *page == "postgres"
            }
            OpenError::OldServer { .. } => version.contains("8.0.2"),
            _ => false,
        };
        assert!(is_told, "{error:?}");
        let said = error.to_string();
        assert!(said.contains(version), "{said}");
        assert!(!error.is_transient());
    }
}
