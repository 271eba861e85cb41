//! Names: any that the types allow comes back as it went in, and none is taken for another.

use sexton_core::lock::{Denial, ExecutionState, Outcome};
use sexton_core::name::{InstanceId, Namespace, TaskName};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::Replica;

fn strange() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "a b",
        "a-***-b",
        "a_b",
        "a:b",
        "a::b",
        "{a}b",
        "a|b",
        "a/b",
        "a.b",
        "a*",
        "a?",
        "a[b]",
        "%",
        "%s",
        "%61",
        "$1",
        "\\",
        "\\0",
        "\"",
        "'",
        "'; DROP TABLE x; --",
        "`",
        "#",
        "0",
        "-1",
        "null",
        "NaN",
        "true",
        "[]",
        "{}",
        "\u{e9}",
        "e\u{301}",
        "\u{1F514}",
        "\u{fffd}x",
        "\u{10ffff}",
        "\u{df}",
        "SS",
        "\u{130}",
        "i\u{307}",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(TaskName::BYTES_MAX));
    names.push(format!("{}y", "x".repeat(TaskName::BYTES_MAX - 1)));
    names.push("\u{e9}".repeat(TaskName::BYTES_MAX / 2));
    names
}

pub(crate) async fn every_name_is_a_task_of_its_own_and_comes_back_as_it_went_in(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    for name in strange() {
        let ticks = digest.of(&TaskName::new(&name)?);
        let held = a.run(&ticks.nth(0)).await?;
        assert_eq!(held.fence().get(), 1, "{name:?} is taken for another");
        b.denied(&b.asks(&ticks.nth(0)), Denial::Taken).await?;
        a.end(&held.lock, Outcome::Succeeded).await?;
        let record = a.known(&ticks.nth(0)).await?;
        assert_eq!(record.execution.task.as_str(), name);
        assert_eq!(record.state, ExecutionState::Ended(Outcome::Succeeded));
    }
    Ok(())
}

pub(crate) async fn every_instance_id_comes_back_as_it_went_in(
    bench: Bench,
) -> Result<(), Failure> {
    let manager = bench.open().await?;
    let digest = bench.task("digest").await?;
    for (n, name) in (0..).zip(strange()) {
        let Ok(instance) = InstanceId::new(&name) else {
            continue;
        };
        let replica = Replica::new(manager.clone(), instance.clone());
        replica.run(&digest.nth(n)).await?;
        assert_eq!(
            replica.known(&digest.nth(n)).await?.instance,
            Some(instance)
        );
    }
    Ok(())
}

pub(crate) async fn namespaces_know_nothing_of_each_other(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let name = format!("{}:x", bench.namespace());
    let elsewhere = bench.in_namespace(Namespace::new(name)?);
    let b = elsewhere.replica().await?;
    a.run(&digest.nth(5)).await?;
    let other = b.run(&digest.nth(5)).await?;
    assert_eq!(other.fence().get(), 1);
    b.run(&digest.nth(6)).await?;
    a.run(&digest.nth(6)).await?;
    let held = a.run(&digest.nth(7)).await?;
    assert!(b.record(&digest.nth(7)).await?.is_none());
    let settled = b.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, sexton_core::lock::Settled::Refused);
    Ok(())
}
