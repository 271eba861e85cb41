//! How a scheduler that starts comes to its stores: it takes its id, and asks where its tasks are.

use std::collections::HashMap;
use std::sync::Arc;

use sexton_core::name::TaskName;
use sexton_core::tick::Tick;

use super::Shared;
use super::accounted::accounted_until;
use crate::error::BuildError;
use crate::identity::{give_back, take_id};
use crate::link::Link;
use crate::task::CheckedTask;

/// Takes the instance's id in each store, and says up to which tick the tasks there are accounted
/// for. Where that fails, the ids are given back.
pub(super) async fn settle_in(
    shared: &Shared,
    links: &[Arc<Link>],
    tasks: &[Vec<CheckedTask>],
) -> Result<Vec<HashMap<TaskName, Tick>>, BuildError> {
    let mut accounted = Vec::new();
    for (place, (link, tasks)) in links.iter().zip(tasks).enumerate() {
        match settle_in_one(shared, link, tasks).await {
            Ok(ticks) => accounted.push(ticks),
            Err(error) => {
                for link in &links[..=place] {
                    give_back(shared, link).await;
                }
                return Err(error);
            }
        }
    }
    Ok(accounted)
}

async fn settle_in_one(
    shared: &Shared,
    link: &Link,
    tasks: &[CheckedTask],
) -> Result<HashMap<TaskName, Tick>, BuildError> {
    take_id(shared, link).await?;
    let asked: Vec<&CheckedTask> = tasks.iter().collect();
    let accounted = accounted_until(link, &asked).await;
    accounted.map_err(|source| BuildError::Store {
        name: link.name.clone(),
        source,
    })
}
