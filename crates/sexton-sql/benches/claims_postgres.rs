//! Claims per second in PostgreSQL, against one server (a private one, `fsync` on) in one run,
//! beside `pgbench` with as many clients
//! - running the very statements that a batch of claims is, as the server saw them: what the
//!   manager makes of the server;
//! - running the least that a batch could be, one upsert of one narrow row a claim: what the
//!   manager's tables cost.
//!
//! `cargo bench -p sexton-sql --features postgres --bench claims_postgres`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark"
)]

use std::process::Command;
use std::sync::Arc;

use sexton_sql::postgres::PostgresOptions;
use sexton_testkit::postgres::{DATABASE, Server, program};
use sexton_testkit::process::Disk;

mod claiming;

use claiming::{CLIENTS, Client, MEASURED, Work, per_second};

const BATCHES: [u32; 4] = [1, 10, 100, 1_000];
/// DESIGN.md's aim for batches of 100.
const AIM: f64 = 0.8;

const BARE_TABLE: &str = "CREATE TABLE bare (task text NOT NULL, concurrency_index integer NOT NULL, \
     tick_ms bigint NOT NULL, PRIMARY KEY (task, concurrency_index)) WITH (fillfactor = 50)";

/// One statement a batch; ticks rise.
fn bare_script(batch: u32) -> String {
    format!(
        "\\set tick :tick + 1\n\
         INSERT INTO bare (task, concurrency_index, tick_ms) \
         SELECT 'task-' || :client_id || '-' || n, 1, :tick FROM generate_series(1, {batch}) AS n \
         ON CONFLICT (task, concurrency_index) DO UPDATE SET tick_ms = excluded.tick_ms \
         WHERE excluded.tick_ms > bare.tick_ms;\n"
    )
}

/// What a batch of claims is to the server: what it is asked first, and what it is told then.
struct Statements {
    load: String,
    store_back: String,
}

impl Statements {
    /// As the server saw them last.
    async fn seen_by(server: &Server) -> Statements {
        let options = PostgresOptions::new().connections_max(1);
        let manager = options.connect(&server.url()).await.unwrap();
        let client = Client::new(Arc::new(manager.clone()), 0, 1);
        client.step(Work::Claim, 0).await;
        let store_back = last_statement(server, "%INSERT INTO%").await;
        client.step(Work::Lose, 0).await;
        let load = last_statement(server, "%unnest%").await;
        manager.close().await;
        Statements { load, store_back }
    }

    /// Both with what they are given: batches of a client's own tasks, a tick later each time.
    fn script(&self, batch: u32) -> String {
        let all = |value: &str| format!("array_fill({value}, ARRAY[{batch}])");
        let tasks = format!("ARRAY(SELECT 'task-' || n FROM generate_series(1, {batch}) AS n)");
        let namespace = "'pgbench-' || :client_id || '-' || :batch";
        let (indices, ticks) = (all("1"), all(":tick::bigint"));
        let nothing = "'{}'";
        let load = [
            namespace, &tasks, &indices, &tasks, &indices, &ticks, nothing, nothing, nothing,
            nothing, &tasks, "true",
        ];
        let (words, numbers) = (all("NULL::text"), all("NULL::bigint"));
        let store_back = [
            namespace,
            &tasks,
            &indices,
            &all(":tick::bigint - 1"),
            &ticks,
            &ticks,
            "'5000'",
            &ticks,
            &tasks,
            &indices,
            &indices,
            &all("'running'::text"),
            &words,
            &all("'0190163d-8694-739b-aea5-966c26f8ad91'::uuid"),
            &all("'instance'::text"),
            &all("1::bigint"),
            &ticks,
            &all("'at most once'::text"),
            &all("1::bigint"),
            &all("'allow'::text"),
            &numbers,
            &all("false"),
            &ticks,
            &numbers,
            &numbers,
        ];
        let load = given(&self.load, &load);
        let store_back = given(&self.store_back, &store_back);
        format!("\\set tick :tick + 1\n{load};\n{store_back};\n")
    }
}

/// A statement with values instead of its parameters, and without its comments.
fn given(statement: &str, values: &[&str]) -> String {
    let lines = statement.lines().filter(|line| !line.starts_with("--"));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for (place, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", place + 1), &format!("({value})"));
    }
    assert!(!text.contains('$'), "a parameter has no value: {text}");
    text
}

async fn last_statement(server: &Server, like: &str) -> String {
    let last = "SELECT query FROM pg_stat_activity \
         WHERE query LIKE $1 AND pid <> pg_backend_pid() ORDER BY state_change DESC LIMIT 1";
    let last = sqlx::query_scalar(last).bind(like);
    last.fetch_one(&mut server.raw().await).await.unwrap()
}

/// How many rows a second `pgbench` writes.
fn pgbench(server: &Server, batch: u32, text: &str) -> f64 {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), text).unwrap();
    let output = Command::new(program("pgbench"))
        .args(["-n", "-M", "prepared", "-D", "tick=0", "-j", "2"])
        .args(["-D", &format!("batch={batch}")])
        .args([
            "-c",
            &CLIENTS.to_string(),
            "-T",
            &MEASURED.as_secs().to_string(),
        ])
        .args(["-h", "127.0.0.1", "-U", "sexton"])
        .args(["-p", &server.port().to_string(), "-f"])
        .arg(script.path())
        .arg(DATABASE)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split(' ').next());
    let Some(rate) = rate.and_then(|rate| rate.parse::<f64>().ok()) else {
        panic!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr));
    };
    rate * f64::from(batch)
}

async fn measure(server: &Server) {
    server.run(BARE_TABLE).await;
    let statements = Statements::seen_by(server).await;
    let open = async |namespace| {
        let options = PostgresOptions::new().namespace(namespace);
        let options = options.connections_max(CLIENTS);
        options.connect(&server.url()).await.unwrap()
    };
    for batch in BATCHES {
        server.run("TRUNCATE bare; CHECKPOINT").await;
        let bare = pgbench(server, batch, &bare_script(batch));
        let same = pgbench(server, batch, &statements.script(batch));
        assert!(pgbench_has_written(server, batch).await);
        let claims = per_second(&open, batch, Work::Claim).await;
        let settled = per_second(&open, batch, Work::ClaimAndSettle).await;
        let lost = per_second(&open, batch, Work::Lose).await;
        let aim = if batch == 100 {
            format!(", aim {AIM}")
        } else {
            String::new()
        };
        println!(
            "{CLIENTS} clients, batches of {batch:>4}: {claims:>7.0} claims/s, {settled:>7.0}/s claimed and settled, \
             {lost:>7.0}/s denied; pgbench's same statements {same:>7.0}/s (ours {:.2} ×{aim}), a bare upsert \
             {bare:>7.0}/s (ours {:.2} ×)",
            claims / same,
            claims / bare
        );
    }
}

/// Whether each of its batches was written whole: each client's registers stand at one tick, and
/// each tick has a record.
async fn pgbench_has_written(server: &Server, batch: u32) -> bool {
    let whole = "SELECT count(*) > 0 AND bool_and(whole) FROM (\
            SELECT count(*) = $2 * max(watermark_ms) AND count(DISTINCT r.version) = 1 AS whole \
            FROM sexton_registers AS r JOIN sexton_executions AS e USING (namespace, task, concurrency_index) \
            WHERE namespace LIKE 'pgbench-%-' || $1 GROUP BY namespace) AS clients";
    let whole = sqlx::query_scalar(whole)
        .bind(batch.to_string())
        .bind(i64::from(batch));
    whole.fetch_one(&mut server.raw().await).await.unwrap()
}

fn main() {
    // What the tests' server is spared for, and what would only measure the disk's share in it.
    let settings = [
        "shared_buffers=256MB",
        "max_wal_size=4GB",
        "checkpoint_timeout=1h",
        "track_activity_query_size=64kB",
    ];
    let Some(server) = Server::start_with(Disk::Synced, &settings) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure(&server));
}
