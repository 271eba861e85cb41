//! Claims decided wrongly, where that takes a look at what waits.

use jiff::Timestamp;
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Consumption, Denial, Execution, ExecutionRecord, ExecutionState,
    Grant, HeldLock, LockError, Origin, Reason, Release, TaskQuery, Verdict,
};
use sexton_core::name::InstanceId;
use sexton_core::policy::{Overlap, Placement};
use sexton_core::tick::{Attempt, Concurrency, Tick};

use super::look::{has_passed, is_beside};
use super::{Answered, Fault, Mutant};

/// More entries than any batch has that is about what waits: it goes to the store as it is, to save
/// time.
const LARGE: usize = 60;

/// What the store has where a claim comes in.
struct Seen {
    now: Timestamp,
    record: Option<ExecutionRecord>,
    /// What waits of the (task, index) and is earlier, the earliest first.
    earlier: Vec<ExecutionRecord>,
}

impl Seen {
    /// The claim's own record, if it waits.
    fn waiting(&self) -> Option<&ExecutionRecord> {
        self.record
            .as_ref()
            .filter(|record| record.state == ExecutionState::Waiting)
    }

    /// Whether the claim's own record waits, its deadline has passed, and it is or is not queued.
    fn is_late(&self, is_queued: bool) -> bool {
        self.waiting().is_some_and(|record| {
            has_passed(record, self.now) && is_queued == (record.reason == Some(Reason::Overlap))
        })
    }

    fn is_ours(&self, claim: &Claim) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.claim_id == Some(claim.claim_id))
    }

    /// The earliest that waits and is not too late.
    fn goes_first(&self) -> Option<Tick> {
        let in_time = |record: &&ExecutionRecord| !has_passed(record, self.now);
        self.earlier
            .iter()
            .find(in_time)
            .map(|record| record.execution.tick)
    }

    /// What a new tick finds waiting where its policy keeps the newest.
    fn found_by_newest(&self, claim: &Claim) -> &[ExecutionRecord] {
        let keeps_newest = matches!(claim.overlap, Overlap::QueueOne | Overlap::CancelEarlier);
        match &self.record {
            None if keeps_newest => &self.earlier,
            _ => &[],
        }
    }
}

impl Mutant {
    /// Decides a batch entry by entry, with a look at what waits before each.
    pub(super) async fn claim_each(
        &self,
        lead: ClaimLead,
        batch: &[Claim],
    ) -> Answered<Vec<Verdict>> {
        if batch.len() > LARGE {
            return self.inner.claim(lead, batch).await?.whole();
        }
        let mut now = self.inner.now().await?;
        let mut held_up = vec![None; batch.len()];
        if self.has(Fault::EarlierOfTheBatchForgotten) {
            for (claim, held_up) in batch.iter().zip(&mut held_up) {
                *held_up = self.look_at(claim).await?.goes_first();
            }
        }
        let mut value = Vec::new();
        for (claim, held_up) in batch.iter().zip(held_up) {
            let seen = self.look_at(claim).await?;
            let verdict = match held_up {
                Some(tick) if !seen.is_ours(claim) => Verdict::Denied(Denial::EarlierWaits(tick)),
                _ => match self.denies(claim, &seen).await? {
                    Some(denial) => Verdict::Denied(denial),
                    None => self.decide(lead, claim, &seen, &mut now).await?,
                },
            };
            value.push(verdict);
        }
        Ok(Answer { now, value })
    }

    async fn look_at(&self, claim: &Claim) -> Result<Seen, LockError> {
        let execution = &claim.execution;
        let mut earlier = self
            .records(&execution.task, ExecutionState::Waiting)
            .await?;
        earlier.retain(|record| {
            is_beside(&record.execution, execution) && record.execution.tick < execution.tick
        });
        Ok(Seen {
            now: self.inner.now().await?,
            record: self.record(execution).await?,
            earlier,
        })
    }

    /// What is denied wrongly, without asking the store.
    async fn denies(&self, claim: &Claim, seen: &Seen) -> Result<Option<Denial>, LockError> {
        let execution = &claim.execution;
        let first = seen.goes_first().filter(|_| !seen.is_ours(claim));
        let first = first.map(Denial::EarlierWaits);
        let is_new = seen.record.is_none();
        let is_running = seen
            .record
            .as_ref()
            .is_some_and(|record| record.state == ExecutionState::Running);
        let is_distinct = claim.placement == Placement::Distinct;
        let is_late = seen.is_late(false);
        let too_late = |is_so: bool| is_so.then_some(Denial::TooLate);
        Ok(match self.fault {
            Fault::TooLateNotClosed => too_late(is_late),
            Fault::TooLateBeforeTooEarly => {
                too_late(is_late && execution.tick.timestamp() > seen.now)
            }
            Fault::TooLateBeforePaused => too_late(is_late && self.is_paused(claim).await?),
            Fault::PlacementBeforeTooLate if is_late && is_distinct => Some(Denial::Placement),
            Fault::OverlapBeforeTooLate if is_late && claim.overlap != Overlap::Allow => {
                self.is_overlapping(claim).await?.then_some(Denial::Overlap)
            }
            Fault::EarlierWaitsBeforeTooLate if is_late => first,
            Fault::QueuedTooLateBesideARun if seen.is_late(true) => {
                too_late(self.is_overlapping(claim).await?)
            }
            Fault::QueuedTooLateAfterALease if seen.is_late(true) => {
                too_late(!self.is_overlapping(claim).await?)
            }
            Fault::EarlierOfAnotherIndexGoesFirst => {
                let waiting = self.records(&execution.task, ExecutionState::Waiting);
                let is_earlier = |record: &ExecutionRecord| record.execution.tick < execution.tick;
                let earlier = waiting.await?.into_iter().find(is_earlier);
                earlier.map(|record| Denial::EarlierWaits(record.execution.tick))
            }
            Fault::EarlierTooLateGoesFirst => {
                let earlier = seen.earlier.first();
                earlier.map(|record| Denial::EarlierWaits(record.execution.tick))
            }
            Fault::EarlierBeforeTheRecovered if is_running => first,
            Fault::EarlierWaitsBeforeTaken if is_running || is_new => first,
            Fault::EarlierWaitsBeforePlacement if is_distinct => first,
            Fault::EarlierWaitsBeforeOverlap if claim.overlap != Overlap::Allow => first,
            Fault::FormerHoldersShutOut => seen
                .record
                .as_ref()
                .filter(|record| record.former_holders.contains(&claim.instance))
                .map(|_| Denial::Placement),
            Fault::FormerHoldersOfAnotherTickCount if is_distinct => {
                let running = self.records(&execution.task, ExecutionState::Running);
                let lost_by = |record: &ExecutionRecord| {
                    record.former_holders.contains(&claim.instance)
                        && record.execution != *execution
                };
                let is_lost = running.await?.iter().any(lost_by);
                is_lost.then_some(Denial::Placement)
            }
            Fault::NeededRecordOverlooked if claim.needs_record => Some(Denial::Taken),
            _ => None,
        })
    }

    async fn is_paused(&self, claim: &Claim) -> Result<bool, LockError> {
        let task = claim.execution.task.clone();
        let query = TaskQuery::Named(vec![task]);
        let states = self.inner.tasks(&query).await?.value;
        Ok(states.iter().any(|state| state.pause.is_some()))
    }

    async fn is_overlapping(&self, claim: &Claim) -> Result<bool, LockError> {
        let task = &claim.execution.task;
        let (now, running) = (
            self.inner.now().await?,
            self.records(task, ExecutionState::Running).await?,
        );
        Ok(running.iter().any(|record| {
            is_beside(&record.execution, &claim.execution) && record.is_leased_at(now)
        }))
    }

    /// Asks the store, and does something wrong before or after.
    async fn decide(
        &self,
        lead: ClaimLead,
        claim: &Claim,
        seen: &Seen,
        now: &mut Timestamp,
    ) -> Result<Verdict, LockError> {
        let mut claim = claim.clone();
        let mut kept = Vec::new();
        for record in seen.found_by_newest(&claim) {
            let is_triggered = record.origin == Origin::Triggered;
            match self.fault {
                Fault::TriggeredSuperseded if is_triggered => self.withdraw(record).await?,
                Fault::BegunSuperseded if record.attempt > Some(Attempt::FIRST) => {
                    self.withdraw(record).await?;
                }
                Fault::TooLateSuperseded if has_passed(record, seen.now) => {
                    self.withdraw(record).await?;
                }
                Fault::ReleasedNotSuperseded if !is_triggered && record.reason.is_none() => {
                    kept.extend(self.hide(record).await?);
                }
                _ => {}
            }
        }
        if self.has(Fault::NeededRecordConsumedUnderAPause) && self.is_paused(&claim).await? {
            claim.needs_record = false;
        }
        if self.has(Fault::FormerHoldersForgotten) && seen.record.is_some() {
            claim.placement = Placement::Race;
        }
        let mut verdict = self.ask(lead, &claim, now).await?;
        for lock in kept {
            let release = Release {
                lock,
                deadline: None,
            };
            self.inner.release(&[release]).await?;
        }
        match (self.fault, &mut verdict) {
            (Fault::EarlierIgnored, Verdict::Denied(Denial::EarlierWaits(_))) => {
                for record in &seen.earlier {
                    self.withdraw(record).await?;
                }
                verdict = self.ask(lead, &claim, now).await?;
            }
            (Fault::EarlierMisnamed, Verdict::Denied(Denial::EarlierWaits(tick))) => {
                *tick = seen
                    .earlier
                    .last()
                    .map_or(*tick, |record| record.execution.tick);
            }
            (Fault::EarlierConsumesTheLater, Verdict::Denied(Denial::EarlierWaits(_))) => {
                self.consume_at(&claim.execution).await?;
            }
            (Fault::TooLateCalledTaken, Verdict::Denied(denial @ Denial::TooLate)) => {
                *denial = Denial::Taken;
            }
            (Fault::TooLateBeforeOurOwn, Verdict::Granted(grant))
                if grant.deadline.is_some_and(|deadline| deadline <= *now) =>
            {
                verdict = Verdict::Denied(Denial::TooLate);
            }
            (Fault::DeadlineNotGranted, Verdict::Granted(grant)) => grant.deadline = None,
            (Fault::DeadlineNotGrantedAgain, Verdict::Granted(grant)) if seen.is_ours(&claim) => {
                grant.deadline = None;
            }
            (Fault::TriggerRaisesTheWatermark, Verdict::Granted(_)) if seen.is_triggered() => {
                self.consume_behind(&claim.execution).await?;
            }
            (Fault::TriggeredGrantedTwice, Verdict::Denied(Denial::Taken))
                if seen.is_triggered() =>
            {
                verdict = seen.granted_once_more();
            }
            _ => {}
        }
        Ok(verdict)
    }

    async fn ask(
        &self,
        lead: ClaimLead,
        claim: &Claim,
        now: &mut Timestamp,
    ) -> Result<Verdict, LockError> {
        let answer = self
            .inner
            .claim(lead, std::slice::from_ref(claim))
            .await?
            .whole()?;
        *now = answer.now;
        Ok(answer.value.into_iter().next().unwrap())
    }

    async fn withdraw(&self, record: &ExecutionRecord) -> Result<(), LockError> {
        self.inner.request_cancel(&record.execution).await?;
        Ok(())
    }

    /// Claims what waits for nobody, so that it does not wait for a while.
    async fn hide(&self, record: &ExecutionRecord) -> Result<Option<HeldLock>, LockError> {
        let nobody = InstanceId::new("nobody").unwrap();
        let claim = Claim::new(record.execution.clone(), record.concurrency, nobody);
        let mut now = self.inner.now().await?;
        let verdict = self.ask(ClaimLead::ZERO, &claim, &mut now).await?;
        Ok(verdict.grant().map(|grant| HeldLock {
            execution: claim.execution.clone(),
            claim_id: claim.claim_id,
            fence: grant.fence,
        }))
    }

    async fn consume_at(&self, execution: &Execution) -> Result<(), LockError> {
        let nobody = InstanceId::new("nobody").unwrap();
        let execution = execution.clone();
        let consumption = Consumption::new(execution, Concurrency::ONE, Reason::Overlap, nobody);
        self.inner.consume(&[consumption]).await?;
        Ok(())
    }

    /// Raises the watermark past an execution that has a record already.
    pub(super) async fn consume_behind(&self, execution: &Execution) -> Result<(), LockError> {
        let mut behind = execution.clone();
        behind.tick = behind.tick.saturating_add_millis(1);
        self.consume_at(&behind).await
    }
}

impl Seen {
    fn is_triggered(&self) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.origin == Origin::Triggered)
    }

    fn granted_once_more(&self) -> Verdict {
        let fence = self.record.as_ref().unwrap().fence;
        Verdict::Granted(Grant {
            fence: fence.next(),
            attempt: Attempt::FIRST,
            lease_until: None,
            deadline: None,
        })
    }
}
