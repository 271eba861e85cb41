//! PostgreSQL, as those tests see it.

use sexton_testkit::postgres::Server;
use sexton_testkit::process::Disk;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, PgPool, Postgres};

use super::TestServer;

const NO_TRANSACTION: &str = "25P01";

impl TestServer for Server {
    type DB = Postgres;

    const FEW_CONNECTIONS: &'static [&'static str] = &[
        "max_connections=8",
        "superuser_reserved_connections=0",
        "max_wal_senders=0",
    ];
    const MANY_CONNECTIONS: &'static [&'static str] = &["max_connections=400"];
    const SESSION: &'static str = "SELECT pg_backend_pid()::bigint";
    const LOCK_EXECUTIONS: &'static str = "LOCK TABLE sexton_executions IN ACCESS EXCLUSIVE MODE";
    const SERIALIZABLE: &'static str = "default_transaction_isolation=serializable";
    const WAITING: &'static str =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    const ONLY_READ: &'static [&'static str] = &[
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    ];
    const MAY_NOT_CREATE: &'static str = "CREATE ROLE visitor LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO visitor";
    const TLS: &'static [&'static str] = &[
        "ssl=on",
        "ssl_cert_file=FOLDER/cert.pem",
        "ssl_key_file=FOLDER/key.pem",
    ];
    const TLS_VERIFIED: &'static str = "sslmode=verify-full";
    const TLS_CA: &'static str = "sslrootcert";

    fn without_tls() -> &'static [&'static str] {
        &["ssl=off"]
    }

    fn start_with(disk: Disk, settings: &[&str]) -> Option<Server> {
        Server::start_with(disk, settings)
    }

    fn begin(&mut self) {
        Server::begin(self);
    }

    fn kill(&mut self) {
        Server::kill(self);
    }

    fn stop(self) -> Vec<String> {
        Server::stop(self)
    }

    fn port(&self) -> u16 {
        Server::port(self)
    }

    fn url_at(&self, port: u16) -> String {
        Server::url_at(self, port)
    }

    async fn raw(&self) -> PgConnection {
        Server::raw(self).await
    }

    async fn execute(connection: &mut PgConnection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    async fn attempt(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
        let attempt = sqlx::raw_sql(AssertSqlSafe(sql));
        attempt.execute(connection).await.map(drop)
    }

    async fn number_of(connection: &mut PgConnection, sql: String) -> i64 {
        let number = sqlx::query_scalar(AssertSqlSafe(sql));
        number.fetch_one(connection).await.unwrap()
    }

    async fn number(connection: &mut PgConnection, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
    }

    async fn pool(&self, connections: u32) -> PgPool {
        let pool = PoolOptions::new().max_connections(connections);
        pool.connect(&self.url()).await.unwrap()
    }

    async fn is_in_transaction(connection: &mut PgConnection) -> bool {
        // Only in a transaction is there something to come back to.
        match sqlx::raw_sql("SAVEPOINT here").execute(connection).await {
            Ok(_) => true,
            Err(error) => {
                let refused = error.into_database_error().unwrap();
                refused.code().unwrap() != NO_TRANSACTION
            }
        }
    }
}
