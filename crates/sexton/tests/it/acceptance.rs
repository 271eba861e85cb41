//! The acceptance test of the Kotlin system that Sexton follows, stricter: every tick, the last
//! included, has exactly `concurrency` executions.

use std::time::Duration;

use sexton::Task;

use crate::fleet::{Diary, Fleet, pass};

const REPLICAS: usize = 5;
const TICKS: usize = 20;

async fn every_tick_has_exactly(concurrency: u64, period_ms: u64) {
    let period = Duration::from_millis(period_ms);
    let task = move |name: &str, diary: &Diary| {
        let task = Task::new(name).every(period).unwrap();
        task.concurrency(concurrency).run(diary.noting())
    };
    let mut fleet = Fleet::of(REPLICAS)
        .tasks(move |diary| ["first", "second"].map(|name| task(name, diary)))
        .start()
        .await;
    // Half a period past the last tick, so that whether it ran is beyond doubt.
    pass(period * u32::try_from(TICKS).unwrap() + period / 2).await;
    for _ in 0..REPLICAS {
        let report = fleet.leave(0, Duration::from_secs(1)).await;
        assert!(report.all_settled && report.cut_off.is_empty());
    }
    let all_indices: Vec<u16> = (1..=u16::try_from(concurrency).unwrap()).collect();
    for name in ["first", "second"] {
        let by_tick = fleet.diary.by_tick(name);
        // While they shut down one after the other, they start what they claimed ahead.
        assert!(by_tick.len() >= TICKS, "{name}: {:?}", by_tick.keys());
        let ticks = by_tick.keys().map(|tick| tick.as_millis());
        assert!(ticks.is_sorted_by(|one, next| next - one == i64::try_from(period_ms).unwrap()));
        for (tick, indices) in by_tick {
            assert_eq!(indices, all_indices, "{name} at {tick}");
        }
    }
    let instances: std::collections::BTreeSet<String> = fleet
        .diary
        .entries()
        .into_iter()
        .map(|entry| entry.instance)
        .collect();
    assert!(instances.len() > 1, "one replica took every tick");
    for entry in fleet.diary.entries() {
        assert_eq!(
            entry.at_ms,
            entry.tick.as_millis(),
            "{entry:?} did not start at its tick"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_1_every_200_ms() {
    every_tick_has_exactly(1, 200).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_3_every_200_ms() {
    every_tick_has_exactly(3, 200).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_6_every_200_ms() {
    every_tick_has_exactly(6, 200).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_1_every_400_ms() {
    every_tick_has_exactly(1, 400).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_3_every_400_ms() {
    every_tick_has_exactly(3, 400).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_6_every_400_ms() {
    every_tick_has_exactly(6, 400).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_1_every_800_ms() {
    every_tick_has_exactly(1, 800).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_3_every_800_ms() {
    every_tick_has_exactly(3, 800).await;
}

#[tokio::test(start_paused = true)]
async fn five_replicas_and_concurrency_6_every_800_ms() {
    every_tick_has_exactly(6, 800).await;
}

/// The same with real time, on real stores: what is late is caught up with, however busy the
/// machine.
#[cfg(any(feature = "sqlite", feature = "redis", feature = "postgres"))]
mod on_stores {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::SignedDuration;
    use sexton::clock::{Clock, SystemClock};
    use sexton::lock::LockManager;
    use sexton::policy::Missed;
    use sexton::{Run, Scheduler, State, Task};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::REPLICAS;

    type Ran = UnboundedSender<(String, i64, u16)>;

    async fn tell(run: Run, State(ran): State<Ran>) {
        let line = (
            run.task().to_string(),
            run.tick().as_millis(),
            run.index().get(),
        );
        // Nobody listens any more once the test has failed.
        let _ = ran.send(line);
    }

    async fn every_tick_has_exactly(
        concurrency: u64,
        period_ms: u32,
        managers: Vec<Arc<dyn LockManager>>,
    ) {
        let period = Duration::from_millis(u64::from(period_ms));
        let span_ms = 4_000;
        let in_a_second = SystemClock.now() + SignedDuration::from_secs(1);
        let begin_ms = in_a_second.as_millisecond() / 800 * 800 + 800;
        let begin = jiff::Timestamp::from_millisecond(begin_ms).unwrap();
        let end = begin + SignedDuration::from_millis(span_ms);
        let (sender, mut ran) = unbounded_channel();
        let mut fleet = Vec::new();
        for manager in managers {
            let tasks = ["first", "second"].map(|name| {
                let task = Task::new(name)
                    .every(period)
                    .unwrap()
                    .starting(begin)
                    .ending(end);
                let window = Duration::from_secs(600);
                task.concurrency(concurrency)
                    .missed(Missed::All { window })
                    .run(tell)
            });
            let builder = Scheduler::builder()
                .shared_manager("default", manager)
                .state::<Ran>(sender.clone());
            fleet.push(builder.tasks(tasks).start().await.unwrap());
        }
        let ticks = span_ms / i64::from(period_ms);
        let indices = 1..=u16::try_from(concurrency).unwrap();
        let mut expected = Vec::new();
        for name in ["first", "second"] {
            for tick in 0..ticks {
                let tick_ms = begin_ms + tick * i64::from(period_ms);
                expected.extend(
                    indices
                        .clone()
                        .map(|index| (name.to_owned(), tick_ms, index)),
                );
            }
        }
        let mut found = Vec::new();
        while found.len() < expected.len() {
            let line = tokio::time::timeout(Duration::from_secs(60), ran.recv()).await;
            found.push(
                line.unwrap_or_else(|_| panic!("{} of {} ran", found.len(), expected.len()))
                    .unwrap(),
            );
        }
        for scheduler in fleet {
            scheduler.shutdown(Duration::from_secs(5)).await;
        }
        // Whatever ran twice is among what comes behind the number that was to come.
        drop(sender);
        while let Ok(line) = ran.try_recv() {
            found.push(line);
        }
        found.sort();
        assert_eq!(found, expected);
    }

    /// On a store of its own for each period and concurrency.
    async fn every_200_400_and_800_ms_with_concurrency_1_3_and_6(
        open: impl AsyncFn(String) -> Arc<dyn LockManager>,
    ) {
        let open = &open;
        for period_ms in [200, 400, 800] {
            let run = async |concurrency: u64| {
                let mut managers = Vec::new();
                for _ in 0..REPLICAS {
                    managers.push(open(format!("{period_ms} {concurrency}")).await);
                }
                every_tick_has_exactly(concurrency, period_ms, managers).await;
            };
            tokio::join!(run(1), run(3), run(6));
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        let folder = tempfile::tempdir().unwrap();
        let open = async |name: String| {
            let file = folder.path().join(name);
            let manager = sexton::SqliteLockManager::open(file).await.unwrap();
            Arc::new(manager) as Arc<dyn LockManager>
        };
        every_200_400_and_800_ms_with_concurrency_1_3_and_6(open).await;
    }

    #[cfg(feature = "redis")]
    async fn every_tick_by_redis(url: &str, options: sexton::redis::RedisOptions) {
        let open = async |name: String| {
            let namespace = sexton::name::Namespace::new(name).unwrap();
            let manager = options.clone().namespace(namespace).connect(url).await;
            Arc::new(manager.unwrap()) as Arc<dyn LockManager>
        };
        every_200_400_and_800_ms_with_concurrency_1_3_and_6(open).await;
    }

    #[cfg(feature = "redis")]
    #[tokio::test(flavor = "multi_thread")]
    async fn redis() {
        use sexton_testkit::redis::{Server, is_declared_absent};
        if is_declared_absent() {
            return;
        }
        let server = Server::start().await;
        every_tick_by_redis(&server.url(), sexton::redis::RedisOptions::new()).await;
    }

    #[cfg(feature = "redis")]
    #[tokio::test(flavor = "multi_thread")]
    async fn redis_watched_by_sentinels() {
        use sexton_testkit::redis::{Watched, is_declared_absent};
        if is_declared_absent() {
            return;
        }
        let watched = Watched::start().await;
        let limit = Duration::from_secs(1);
        let options = sexton::redis::RedisOptions::new().wait_for_replicas(1, limit);
        every_tick_by_redis(&watched.url(), options).await;
    }

    #[cfg(feature = "redis")]
    #[tokio::test(flavor = "multi_thread")]
    async fn redis_cluster() {
        use sexton_testkit::redis::{Cluster, is_declared_absent};
        if is_declared_absent() {
            return;
        }
        let cluster = Cluster::start().await;
        every_tick_by_redis(&cluster.url(), sexton::redis::RedisOptions::new()).await;
    }

    #[cfg(feature = "mysql")]
    #[tokio::test(flavor = "multi_thread")]
    async fn mariadb() {
        let Some(server) = sexton_testkit::mariadb::Server::start() else {
            return;
        };
        let open = async |name: String| {
            let namespace = sexton::name::Namespace::new(name).unwrap();
            let options = sexton::mysql::MySqlOptions::new().namespace(namespace);
            let manager = options.connect(&server.url()).await.unwrap();
            Arc::new(manager) as Arc<dyn LockManager>
        };
        every_200_400_and_800_ms_with_concurrency_1_3_and_6(open).await;
    }

    #[cfg(feature = "postgres")]
    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        let Some(server) = sexton_testkit::postgres::Server::start() else {
            return;
        };
        let open = async |name: String| {
            let namespace = sexton::name::Namespace::new(name).unwrap();
            let options = sexton::postgres::PostgresOptions::new().namespace(namespace);
            let manager = options.connect(&server.url()).await.unwrap();
            Arc::new(manager) as Arc<dyn LockManager>
        };
        every_200_400_and_800_ms_with_concurrency_1_3_and_6(open).await;
    }
}
