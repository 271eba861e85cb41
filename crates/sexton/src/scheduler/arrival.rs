//! How a scheduler that starts comes to its stores: it takes its id, and asks where its tasks are.

use std::collections::HashMap;
use std::sync::Arc;

use sexton_core::name::TaskName;
use sexton_core::tick::Tick;

use super::accounted::accounted_until;
use crate::context::Context;
use crate::error::BuildError;
use crate::identity::{give_back, take_id};
use crate::store_client::StoreClient;
use crate::task::CheckedTask;

/// Takes the instance's id in each store, and says up to which tick the tasks there are accounted
/// for. Where that fails, the ids are given back.
pub(super) async fn settle_in(
    context: &Context,
    clients: &[Arc<StoreClient>],
    tasks: &[Vec<CheckedTask>],
) -> Result<Vec<HashMap<TaskName, Tick>>, BuildError> {
    let mut accounted = Vec::new();
    for (place, (client, tasks)) in clients.iter().zip(tasks).enumerate() {
        match settle_in_one(context, client, tasks).await {
            Ok(ticks) => accounted.push(ticks),
            Err(error) => {
                for client in &clients[..=place] {
                    give_back(context, client).await;
                }
                return Err(error);
            }
        }
    }
    Ok(accounted)
}

async fn settle_in_one(
    context: &Context,
    client: &StoreClient,
    tasks: &[CheckedTask],
) -> Result<HashMap<TaskName, Tick>, BuildError> {
    take_id(context, client).await?;
    let asked: Vec<&CheckedTask> = tasks.iter().collect();
    let accounted = accounted_until(client, &asked).await;
    accounted.map_err(|source| BuildError::Store {
        name: client.name.clone(),
        source,
    })
}
