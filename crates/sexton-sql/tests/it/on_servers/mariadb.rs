//! MariaDB or MySQL, as those tests see it.

use sexton_testkit::mariadb::{Maker, Server};
use sexton_testkit::process::Disk;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, MySql, MySqlPool, Row};

use super::TestServer;

const TRANSACTION_IN_PROGRESS: u16 = 1568;
/// Counts what was prepared and then executed.
const EXECUTED: &str = "SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'";
/// A session that has tried this often is held up.
const TRIES: i64 = 5;
/// A look at what there is, and at what is held by others.
const STATEMENTS_OF_A_TRY: i64 = 2;

impl TestServer for Server {
    type DB = MySql;

    const FEW_CONNECTIONS: &'static [&'static str] = &["max-connections=10"];
    const MANY_CONNECTIONS: &'static [&'static str] = &["max-connections=400"];
    const SESSION: &'static str = "SELECT CAST(CONNECTION_ID() AS SIGNED)";
    const LOCK_EXECUTIONS: &'static str = "LOCK TABLES sexton_executions WRITE";
    const SERIALIZABLE: &'static str = "transaction-isolation=SERIALIZABLE";
    const WAITING: &'static str = "SELECT CAST(count AS SIGNED) \
        FROM information_schema.innodb_metrics WHERE name = 'lock_row_lock_current_waits'";
    const ONLY_READ: &'static [&'static str] = &["SET GLOBAL read_only = 1"];
    const MAY_NOT_CREATE: &'static str = "CREATE USER visitor@'%' IDENTIFIED BY 'correct horse'; \
        GRANT SELECT ON bells.* TO visitor@'%'";
    const TLS: &'static [&'static str] = &["ssl-cert=FOLDER/cert.pem", "ssl-key=FOLDER/key.pem"];
    const TLS_VERIFIED: &'static str = "ssl-mode=VERIFY_IDENTITY";
    const TLS_CA: &'static str = "ssl-ca";

    fn without_tls() -> &'static [&'static str] {
        match Maker::here() {
            Maker::MariaDb => &["skip-ssl"],
            Maker::MySql { .. } => &["tls-version="],
        }
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

    async fn raw(&self) -> MySqlConnection {
        Server::raw(self).await
    }

    /// Nobody waits for a register, but asks again and again.
    async fn someone_is_held_up(&self) {
        let mut watcher = self.raw().await;
        let mut executed = async |sql| -> i64 {
            // As text: the watcher itself executes nothing that was prepared.
            let row = sqlx::raw_sql(sql).fetch_one(&mut watcher).await.unwrap();
            let last: String = row.try_get_unchecked(row.len() - 1).unwrap();
            last.parse().unwrap()
        };
        let before = executed(EXECUTED).await;
        while executed(<Server as TestServer>::WAITING).await == 0
            && executed(EXECUTED).await < before + TRIES * STATEMENTS_OF_A_TRY
        {
            tokio::task::yield_now().await;
        }
    }

    async fn execute(connection: &mut MySqlConnection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    async fn attempt(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
        let attempt = sqlx::raw_sql(AssertSqlSafe(sql));
        attempt.execute(connection).await.map(drop)
    }

    async fn number_of(connection: &mut MySqlConnection, sql: String) -> i64 {
        let number = sqlx::query_scalar(AssertSqlSafe(sql));
        number.fetch_one(connection).await.unwrap()
    }

    async fn number(connection: &mut MySqlConnection, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
    }

    async fn pool(&self, connections: u32) -> MySqlPool {
        let pool = PoolOptions::new().max_connections(connections);
        pool.connect(&self.url()).await.unwrap()
    }

    async fn is_in_transaction(connection: &mut MySqlConnection) -> bool {
        // What a transaction is like can be said before it only.
        let saying = sqlx::raw_sql("SET TRANSACTION READ WRITE");
        match saying.execute(connection).await {
            Ok(_) => false,
            Err(error) => {
                let refused = error.into_database_error().unwrap();
                let refused = refused.downcast_ref::<MySqlDatabaseError>();
                assert_eq!(refused.number(), TRANSACTION_IN_PROGRESS);
                true
            }
        }
    }
}
