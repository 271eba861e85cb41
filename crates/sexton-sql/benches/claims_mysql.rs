//! Claims per second in MariaDB, beside as many clients of the same driver with the least that a batch could be: one upsert of one narrow row a
//! claim, all in one statement, against the same server (a private one that syncs each commit) in the same run. `cargo bench -p sexton-sql
//! --features mysql --bench claims_mysql`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

mod claiming;

use sexton_core::clock::{Clock, SystemClock};
use sexton_sql::mysql::MySqlOptions;
use sexton_testkit::mariadb::Server;
use sexton_testkit::process::Disk;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use tokio::task::JoinSet;

use claiming::{CLIENTS, MEASURED, Work, per_second};

const BATCHES: [u32; 4] = [1, 10, 100, 1_000];

const BARE_TABLE: &str = "CREATE OR REPLACE TABLE bare (client INT NOT NULL, task VARCHAR(200) NOT NULL, \
     concurrency_index INT NOT NULL, tick_ms BIGINT NOT NULL, \
     PRIMARY KEY (client, task, concurrency_index)) ENGINE = InnoDB";

/// One statement a batch; ticks rise.
fn bare_upsert(batch: u32) -> String {
    let rows = vec!["(?, ?, 1, ?)"; usize::try_from(batch).unwrap()].join(", ");
    format!(
        "INSERT INTO bare (client, task, concurrency_index, tick_ms) VALUES {rows} \
         ON DUPLICATE KEY UPDATE tick_ms = GREATEST(tick_ms, VALUES(tick_ms))"
    )
}

/// How many rows a second one client upserts.
async fn upserts_per_second(mut connection: MySqlConnection, client: u32, batch: u32) -> f64 {
    let sql = AssertSqlSafe(bare_upsert(batch)).into_sql_str();
    let tasks: Vec<String> = (0..batch).map(|task| format!("task-{task}")).collect();
    let mut began = None;
    let mut rounds: u32 = 0;
    loop {
        let mut upsert = sqlx::query(sql.clone());
        for task in &tasks {
            upsert = upsert.bind(client).bind(task).bind(i64::from(rounds));
        }
        connection.execute(upsert).await.unwrap();
        rounds += 1;
        // What the first one costs is nobody's pace.
        let began = *began.get_or_insert_with(|| SystemClock.monotonic());
        let passed = SystemClock.monotonic() - began;
        if passed >= MEASURED {
            return f64::from(rounds - 1) * f64::from(batch) / passed.as_secs_f64();
        }
    }
}

async fn bare_per_second(server: &Server, batch: u32) -> f64 {
    server.run(BARE_TABLE).await;
    let mut running = JoinSet::new();
    for client in 0..CLIENTS {
        running.spawn(upserts_per_second(server.raw().await, client, batch));
    }
    running.join_all().await.into_iter().sum()
}

async fn measure(server: &Server) {
    let open = async |namespace| {
        let options = MySqlOptions::new().namespace(namespace);
        let options = options.connections_max(CLIENTS);
        options.connect(&server.url()).await.unwrap()
    };
    for batch in BATCHES {
        let peer = bare_per_second(server, batch).await;
        let claims = per_second(&open, batch, Work::Claim).await;
        let settled = per_second(&open, batch, Work::ClaimAndSettle).await;
        let lost = per_second(&open, batch, Work::Lose).await;
        println!(
            "{CLIENTS} clients, batches of {batch:>4}: {claims:>7.0} claims/s, {settled:>7.0}/s claimed and settled, \
             {lost:>7.0}/s denied; a bare upsert {peer:>7.0}/s (ours {:.2} ×)",
            claims / peer
        );
    }
}

fn main() {
    // What the tests' server is spared for.
    let settings = ["innodb-buffer-pool-size=256M", "innodb-log-file-size=1G"];
    let Some(server) = Server::start_with(Disk::Synced, &settings) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure(&server));
}
