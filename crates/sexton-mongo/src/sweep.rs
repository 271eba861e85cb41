//! What may be claimed although no schedule brings it up, and what nobody will finish.
//!
//! A register's document says from when on there may be something in it (`look_at`,
//! `unleased_since`); the rules say whether there is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::{Answer, Execution, LockError, Sweep, SweepQuery};
use sexton_core::name::InstanceId;
use sexton_core::tick::Tick;

use crate::MongoLockManager;
use crate::call::Errand;
use crate::commands::Find;
use crate::load::{Loaded, touched};
use crate::register::Kept;
use crate::trouble::Trouble;
use crate::value::{date, date_of};
use crate::wanted::Pair;

/// The most executions of an answer.
const ANSWER_MAX: usize = 1_000;
/// How many registers are looked at together.
const PAGE: usize = 200;
/// How often a sweep looks again at what others wrote to between its look and its write.
const OVERTAKEN_MAX: usize = 3;

/// Where a walk over registers goes on.
#[derive(Debug, Clone)]
enum From {
    Start,
    At(Pair),
    Behind(Pair),
}

/// A walk over the registers that may have something in them, in the order of (task, index).
#[derive(Debug, Clone)]
struct Walk {
    due: Vec<Document>,
    from: From,
    is_at_end: bool,
}

impl Walk {
    fn new(now: Timestamp, abandoned_before: Option<Tick>, from: From) -> Walk {
        let mut due = vec![doc! { "look_at": { "$lte": date_of(now) } }];
        due.extend(abandoned_before.map(|tick| doc! { "unleased_since": { "$lte": date(tick) } }));
        Walk {
            due,
            from,
            is_at_end: false,
        }
    }

    async fn next(
        &mut self,
        manager: &MongoLockManager,
        now: Timestamp,
    ) -> Result<Loaded, Trouble> {
        let mut all = vec![
            doc! { "_id.namespace": manager.inner.namespace.as_str() },
            doc! { "$or": self.due.clone() },
        ];
        let (pair, order) = match &self.from {
            From::Start => (None, ""),
            From::At(pair) => (Some(pair), "$gte"),
            From::Behind(pair) => (Some(pair), "$gt"),
        };
        if let Some((task, index)) = pair {
            let task = task.as_str();
            all.push(doc! { "$or": [
                { "_id.task": { "$gt": task } },
                { "_id.task": task, "_id.index": { order: i64::from(index.get()) } },
            ] });
        }
        let find = Find {
            sort: Some(doc! { "_id.task": 1, "_id.index": 1 }),
            limit: i64::try_from(PAGE).ok(),
            ..Find::new(&manager.inner.names.registers, doc! { "$and": all })
        };
        let found = manager.find(find).await?;
        self.is_at_end = found.len() < PAGE;
        let registers: Vec<(Pair, Kept)> =
            found.iter().map(Kept::read).collect::<Result<_, _>>()?;
        if let Some((pair, _)) = registers.last() {
            self.from = From::Behind(pair.clone());
        }
        let by_pair: Vec<(&Pair, Kept)> = registers
            .iter()
            .map(|(pair, kept)| (pair, kept.clone()))
            .collect();
        // What broke off between the two halves of a write.
        manager.move_ended(&by_pair).await?;
        let tasks: BTreeSet<_> = registers
            .iter()
            .map(|((task, _), _)| task.clone())
            .collect();
        let mut loaded = Loaded::of(now, registers.into_iter().collect());
        for (task, pause) in manager.pauses(&tasks).await? {
            loaded.state.load_pause(task, Some(pause));
        }
        Ok(loaded)
    }
}

impl MongoLockManager {
    /// Whether a sweep would find something to claim, or to close because it waited too long.
    pub(crate) async fn needs_sweep(&self, now: Timestamp) -> Result<bool, Trouble> {
        let mut walk = Walk::new(now, None, From::Start);
        while !walk.is_at_end {
            let loaded = walk.next(self, now).await?;
            if loaded.state.needs_sweep(now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn sweep_open(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let mut sweeping = Sweeping {
            query,
            after: query.after.clone(),
            found: Sweep::default(),
        };
        let now = self.call("sweep", &mut sweeping).await?;
        let value = sweeping.found;
        Ok(Answer { now, value })
    }
}

/// A sweep, as far as it has come.
struct Sweeping<'q> {
    query: &'q SweepQuery,
    after: Option<Execution>,
    found: Sweep,
}

impl Errand for Sweeping<'_> {
    type Found = Timestamp;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Timestamp, Trouble> {
        let now = manager.clock().await?;
        let reported = manager.reported().await?;
        let limit = self.query.limit.min(ANSWER_MAX);
        let abandoned_after = self.query.abandoned_after;
        let abandoned_before = now.saturating_sub(abandoned_after).ok();
        let abandoned_before = abandoned_before.map_or(Tick::MIN, Tick::at_or_before);
        let from = match &self.after {
            Some(after) => From::At((after.task.clone(), after.index)),
            None => From::Start,
        };
        let mut walk = Walk::new(now, Some(abandoned_before), from);
        let mut overtaken = 0;
        loop {
            let before = walk.clone();
            let rest = SweepQuery {
                after: self.after.clone(),
                limit: limit - self.found.len(),
                abandoned_after,
            };
            let mut loaded = walk.next(manager, now).await?;
            let is_present = |instance: &InstanceId, granted_at| {
                let record = reported.get(instance);
                record.is_some_and(|record| record.is_present_with(granted_at, now))
            };
            let mut page = loaded.state.sweep(&rest, &is_present, now);
            let changes = loaded.state.take_changes();
            let pairs = touched(&changes);
            let kept = manager.write(&loaded, &pairs, &changes).await?;
            let is_closed = |one: &Execution| kept.contains(&(one.task.clone(), one.index));
            page.lost.retain(is_closed);
            page.missed.retain(is_closed);
            let has_room = self.found.len() + page.lost.len() + page.missed.len() < limit;
            if kept.len() < pairs.len() && overtaken < OVERTAKEN_MAX && has_room {
                // What is still to be closed is closed now, and not a heartbeat later.
                self.found.lost.extend(page.lost);
                self.found.missed.extend(page.missed);
                overtaken += 1;
                walk = before;
                continue;
            }
            let claimable = page.claimable.iter().map(|one| &one.execution);
            let found = claimable.chain(&page.lost).chain(&page.missed);
            self.after = found.max().cloned().or(self.after.take());
            self.found.claimable.extend(page.claimable);
            self.found.lost.extend(page.lost);
            self.found.missed.extend(page.missed);
            if walk.is_at_end || self.found.len() >= limit {
                return Ok(now);
            }
        }
    }
}
