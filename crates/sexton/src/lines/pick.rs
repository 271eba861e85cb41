//! What of the lines goes to the store next.
//!
//! There are three kinds of batches, each with a call under way at a time: claims of lines without
//! a backlog, claims of lines with one, and ticks to account for. A line is in one batch at a time,
//! so that its order holds, and a large backlog delays no other line.

use std::sync::Arc;

use sexton_core::lock::{BATCH_MAX, LockKey};
use sexton_core::policy::Placement;
use sexton_core::store_time::StoreTime;

use super::Lines;
use super::item::{ClaimKind, GivenUpRun, Item, PendingClaim};
use super::line::Line;
use crate::limits::{Limits, Pace};

/// Lines whose given-up ticks are accounted for by one call: few, so that they are free again soon.
const GIVEN_UP_BATCH_MAX: usize = 200;

/// Which claims are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Of lines without a backlog: the highest priority first, of one priority the earliest.
    Fresh,
    /// Of lines with a backlog: the highest priority first, of one priority in turn.
    Backlog,
}

/// In which order lines are served, the least first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// The negative priority.
    priority: i16,
    had_its_turn: bool,
    due_at: StoreTime,
    key: LockKey,
}

/// How far a line has been looked through.
#[derive(Debug)]
struct Scan {
    key: LockKey,
    next: usize,
    /// A tick of the schedule goes no more.
    is_schedule_held: bool,
    /// Nor does anything else.
    is_all_held: bool,
}

impl Line {
    /// Whether a tick that it is late for, or that was given up, waits here; or its part of the
    /// store is in trouble, for which no other line waits.
    fn has_backlog(&self, now: StoreTime) -> bool {
        let is_in_trouble = self.trouble.is_some();
        is_in_trouble
            || self.items.iter().any(|item| match item {
                Item::Claim(claim) => claim.kind == ClaimKind::Scheduled && claim.late_at <= now,
                Item::Open(_) => false,
                Item::GivenUp(_) => true,
            })
    }

    /// The priority, and when the first of it is due that could be sent by its time.
    fn rank(&self, now: StoreTime) -> Option<(i16, StoreTime)> {
        let rank = |item: &Item| match item {
            Item::Claim(claim) if claim.not_before <= now => {
                Some((-i16::from(claim.task.policies.priority), claim.due_at))
            }
            Item::Open(open) if open.ask_at <= now => {
                let priority = open.claim.task.policies.priority;
                Some((-i16::from(priority), open.claim.due_at))
            }
            _ => None,
        };
        self.items.iter().find_map(rank)
    }

    /// Marks the next item that goes now, with its permit; whether there is one.
    fn mark_next(&mut self, scan: &mut Scan, now: StoreTime, limits: &Arc<Limits>) -> bool {
        while !scan.is_all_held && scan.next < self.items.len() {
            let item = &mut self.items[scan.next];
            scan.next += 1;
            let claim = match item {
                Item::GivenUp(_) => {
                    scan.is_schedule_held = true;
                    continue;
                }
                Item::Open(open) => {
                    let is_held = std::mem::replace(&mut scan.is_schedule_held, true);
                    if is_held || open.ask_at > now {
                        continue;
                    }
                    if may_run(&mut open.claim, now, limits) {
                        return true;
                    }
                    continue;
                }
                Item::Claim(claim) => claim,
            };
            let is_held = match claim.kind {
                ClaimKind::Scheduled => scan.is_schedule_held,
                ClaimKind::Found | ClaimKind::Recovered | ClaimKind::ToKnow => false,
            };
            if !is_held && claim.not_before <= now && may_run(claim, now, limits) {
                if claim.claim.placement == Placement::Distinct {
                    // What comes behind it depends on its verdict.
                    scan.hold(claim.kind);
                }
                return true;
            }
            scan.hold(claim.kind);
        }
        false
    }

    /// When the first of its claims is due.
    fn first_due(&self) -> Option<StoreTime> {
        self.items.iter().find_map(|item| match item {
            Item::Claim(claim) => Some(claim.due_at),
            _ => None,
        })
    }

    /// Takes out the given-up ticks that stand first: those in a row as one run, but for those that
    /// stand for themselves.
    fn take_given_up(&mut self, one_by_one: bool, batch: &mut Vec<GivenUpRun>) {
        let mut run: Option<GivenUpRun> = None;
        let mut is_first = true;
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::GivenUp(given_up) if is_first => {
                    self.in_flight += 1;
                    match &mut run {
                        Some(run) if !given_up.is_alone && !one_by_one => run.push(*given_up),
                        _ => {
                            let next = GivenUpRun::new(*given_up);
                            batch.extend(run.replace(next));
                        }
                    }
                }
                other => {
                    is_first &= other.is_from_the_store();
                    self.items.push(other);
                }
            }
        }
        batch.extend(run);
    }

    /// Takes out the items that are marked by their permit.
    fn take_marked(&mut self) -> Vec<PendingClaim> {
        let mut taken = Vec::new();
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::Claim(claim) if claim.permit.is_some() => taken.push(*claim),
                Item::Open(open) if open.claim.permit.is_some() => taken.push(open.claim),
                other => self.items.push(other),
            }
        }
        self.in_flight += taken.len();
        taken
    }
}

impl Scan {
    fn new(key: LockKey) -> Scan {
        Scan {
            key,
            next: 0,
            is_schedule_held: false,
            is_all_held: false,
        }
    }

    /// Holds back what stands behind a claim: all of it behind what the store has waiting, ticks of
    /// the schedule behind one of theirs, and nothing behind what had its turn before.
    fn hold(&mut self, kind: ClaimKind) {
        match kind {
            ClaimKind::Scheduled => self.is_schedule_held = true,
            ClaimKind::Found => {
                self.is_schedule_held = true;
                self.is_all_held = true;
            }
            ClaimKind::Recovered | ClaimKind::ToKnow => {}
        }
    }
}

/// Takes the right to one run, if there is room.
fn may_run(claim: &mut PendingClaim, now: StoreTime, limits: &Arc<Limits>) -> bool {
    let pace = match claim.kind {
        ClaimKind::ToKnow => Pace::Unlimited,
        _ if claim.late_at <= now => Pace::CaughtUp,
        _ => Pace::Fresh,
    };
    claim.permit = limits.try_take(&claim.task, pace);
    claim.permit.is_some()
}

impl Lines {
    /// The next claims to send: of each line the first that may go, and those behind it as long as
    /// they may go together.
    pub(crate) fn take_claims(
        &mut self,
        batch: Batch,
        now: StoreTime,
        limits: &Arc<Limits>,
    ) -> Vec<PendingClaim> {
        let mut ranked = self.ranked(batch, now);
        let mut claims = Vec::new();
        // As many lines as a batch has room for are put in order at a time: mostly no more are
        // needed.
        while !ranked.is_empty() && claims.len() < BATCH_MAX {
            let rest = match ranked.len() > BATCH_MAX {
                true => {
                    ranked.select_nth_unstable(BATCH_MAX);
                    ranked.split_off(BATCH_MAX)
                }
                false => Vec::new(),
            };
            ranked.sort_unstable();
            let keys = ranked.into_iter().map(|Rank { key, .. }| key);
            let keys: Vec<LockKey> = keys.collect();
            self.take_from(&keys, batch, now, limits, &mut claims);
            ranked = rest;
        }
        claims
    }

    fn take_from(
        &mut self,
        keys: &[LockKey],
        batch: Batch,
        now: StoreTime,
        limits: &Arc<Limits>,
        claims: &mut Vec<PendingClaim>,
    ) {
        let room = BATCH_MAX - claims.len();
        let mut scans: Vec<Scan> = keys.iter().cloned().map(Scan::new).collect();
        let mut marked = 0;
        while !scans.is_empty() && marked < room {
            scans.retain_mut(|scan| {
                let Some(line) = self.lines.get_mut(&scan.key) else {
                    return false;
                };
                while marked < room && line.mark_next(scan, now, limits) {
                    marked += 1;
                    if batch == Batch::Backlog {
                        // Those with a backlog take turns.
                        self.served_last = Some(scan.key.clone());
                        return true;
                    }
                }
                false
            });
        }
        if marked > 0 {
            for key in keys {
                if let Some(line) = self.lines.get_mut(key) {
                    claims.extend(line.take_marked());
                }
            }
        }
    }

    /// The lines of a batch that have something to send, in no order.
    fn ranked(&self, batch: Batch, now: StoreTime) -> Vec<Rank> {
        let wants_backlog = batch == Batch::Backlog;
        self.lines
            .iter()
            .filter(|(_, line)| line.in_flight == 0 && !line.is_resting(now))
            .filter(|(_, line)| line.has_backlog(now) == wants_backlog)
            .filter_map(|(key, line)| {
                let (priority, due_at) = line.rank(now)?;
                Some(Rank {
                    priority,
                    // Of those with a backlog, the ones behind the one that was served last come
                    // first.
                    had_its_turn: wants_backlog && self.served_last.as_ref() >= Some(key),
                    due_at: if wants_backlog {
                        StoreTime::MIN
                    } else {
                        due_at
                    },
                    key: key.clone(),
                })
            })
            .collect()
    }

    /// The next ticks to account for: of each line those that stand first, as one run. Lines whose
    /// next claim is due first come first; of the others in a random order, so that replicas that
    /// gave up the same ticks do not all begin with the same lines.
    pub(crate) fn take_given_up(&mut self, now: StoreTime) -> Vec<GivenUpRun> {
        let is_first = |(_, line): &(&LockKey, &Line)| {
            let mut by_schedule = line.items.iter().filter(|item| !item.is_from_the_store());
            line.in_flight == 0
                && !line.is_resting(now)
                && matches!(by_schedule.next(), Some(Item::GivenUp(_)))
        };
        let lines = self.lines.iter().filter(is_first);
        let mut keys: Vec<(Option<StoreTime>, LockKey)> = lines
            .map(|(key, line)| (line.first_due(), key.clone()))
            .collect();
        fastrand::shuffle(&mut keys);
        keys.sort_by_key(|(due_at, _)| due_at.unwrap_or(StoreTime::MAX));
        let mut batch = Vec::new();
        for (_, key) in keys {
            if batch.len() >= GIVEN_UP_BATCH_MAX {
                break;
            }
            if let Some(line) = self.lines.get_mut(&key) {
                line.take_given_up(self.gives_up_one_by_one, &mut batch);
            }
        }
        batch
    }
}
