//! A web service with a scheduled task. Start it twice: the two share the ticks through one SQLite
//! file.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin axum_service -- 127.0.0.1:3001 &
//! $ cargo run -p sexton-examples --bin axum_service -- 127.0.0.1:3002 &
//! $ curl http://127.0.0.1:3001/          # what this copy ran, and what the fleet ran
//! $ curl -X POST http://127.0.0.1:3002/refresh   # now, once over the fleet
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sexton::lock::HistoryQuery;
use sexton::name::{ManagerName, TaskName};
use sexton::{HandleError, Run, Scheduler, SchedulerHandle, SqliteLockManager, State, Task};

const TASK: &str = "refresh";

/// What the handlers of the web service and of the task share.
#[derive(Clone, Default)]
struct Refreshed(Arc<AtomicU64>);

async fn refresh(run: Run, State(Refreshed(count)): State<Refreshed>) {
    count.fetch_add(1, Ordering::Relaxed);
    println!("refreshed for {}, fence {}", run.tick(), run.fence());
}

#[derive(Clone)]
struct Service {
    scheduler: SchedulerHandle,
    refreshed: Refreshed,
}

type Answer = Result<Json<Value>, (StatusCode, String)>;

fn unavailable(error: &HandleError) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

async fn show(Extract(service): Extract<Service>) -> Answer {
    let query = HistoryQuery {
        task: TaskName::new(TASK).ok(),
        ..HistoryQuery::default()
    };
    let manager = ManagerName::default();
    let history = service.scheduler.history(&manager, &query).await;
    let fleet: Vec<Value> = history
        .map_err(|error| unavailable(&error))?
        .into_iter()
        .map(|record| json!({ "tick": record.execution.tick.to_string(), "state": record.state.to_string() }))
        .collect();
    let here = service.refreshed.0.load(Ordering::Relaxed);
    Ok(Json(json!({ "here": here, "fleet": fleet })))
}

async fn refresh_now(Extract(service): Extract<Service>) -> Answer {
    let name = TaskName::new(TASK).map_err(|error| (StatusCode::NOT_FOUND, error.to_string()))?;
    let manager = ManagerName::default();
    let triggered = service.scheduler.trigger(&manager, &name);
    let tick = triggered.await.map_err(|error| unavailable(&error))?;
    Ok(Json(json!({ "tick": tick.to_string() })))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let refreshed = Refreshed::default();
    let scheduler = Scheduler::builder()
        .manager(SqliteLockManager::open("sexton.db").await?)
        .state(refreshed.clone())
        .task(Task::new(TASK).every(Duration::from_secs(1))?.run(refresh))
        .start()
        .await?;
    let service = Service {
        scheduler: scheduler.handle(),
        refreshed,
    };
    let routes = Router::new()
        .route("/", get(show))
        .route("/refresh", post(refresh_now))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // SIGTERM and Ctrl-C end the server first, then what runs is waited for.
    axum::serve(listener, routes)
        .with_graceful_shutdown(scheduler.shutdown_signal())
        .await?;
    let report = scheduler.shutdown(Duration::from_secs(10)).await;
    println!("stopped, {} runs cut off", report.cut_off.len());
    Ok(())
}
