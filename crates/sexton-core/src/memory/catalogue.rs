//! Where records stand: by state, newest tick first, all of them and task by task.
//!
//! It names executions and holds no records, so that a page or a bound costs what it finds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::Timestamp;

use crate::lock::rules::work;
use crate::lock::{Execution, ExecutionState, HistoryQuery};
use crate::name::TaskName;
use crate::tick::{ConcurrencyIndex, Tick};

/// A record's place in the history; `None` stands before everything of its tick.
type Place = (Reverse<Tick>, Option<(TaskName, ConcurrencyIndex)>);

#[derive(Debug, Default)]
pub(super) struct Catalogue {
    all: Shelf,
    tasks: BTreeMap<TaskName, Shelf>,
}

/// Places by state. There are few states, so they are looked through.
#[derive(Debug, Default)]
struct Shelf(Vec<(ExecutionState, BTreeSet<Place>)>);

impl Catalogue {
    /// Notes that an execution's record has this state now; `None`: that there is none.
    pub(super) fn file(&mut self, execution: &Execution, state: Option<ExecutionState>) {
        let place = place(execution);
        self.all.file(&place, state);
        let shelf = self.tasks.entry(execution.task.clone()).or_default();
        shelf.file(&place, state);
        if shelf.is_empty() {
            self.tasks.remove(&execution.task);
        }
    }

    /// A page of the history.
    pub(super) fn page(&self, query: &HistoryQuery) -> Vec<Execution> {
        let shelf = match &query.task {
            None => Some(&self.all),
            Some(task) => self.tasks.get(task),
        };
        shelf.map_or_else(Vec::new, |shelf| shelf.page(query))
    }

    /// How many records are over.
    pub(super) fn over(&self) -> usize {
        self.all.over()
    }

    /// The `count` records that are over with the oldest ticks, oldest first.
    pub(super) fn oldest_over(&self, count: usize) -> Vec<Execution> {
        self.all.oldest_over(count, None)
    }

    /// At most `limit` of the records that are over whose tick is before `until`, oldest first.
    pub(super) fn over_before(&self, until: Timestamp, limit: usize) -> Vec<Execution> {
        self.all.oldest_over(limit, Some(until))
    }

    /// At most `limit` of the records that are over and not among the newest `max` of their task.
    pub(super) fn over_beyond(&self, max: u32, limit: usize) -> Vec<Execution> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let mut beyond = Vec::new();
        for shelf in self.tasks.values() {
            let surplus = shelf.over().saturating_sub(max);
            let left = limit - beyond.len();
            beyond.extend(shelf.oldest_over(surplus.min(left), None));
        }
        beyond
    }
}

impl Shelf {
    fn file(&mut self, place: &Place, state: Option<ExecutionState>) {
        for (_, places) in &mut self.0 {
            if places.remove(place) {
                break;
            }
        }
        let Some(state) = state else {
            return;
        };
        match self.0.iter_mut().find(|(of, _)| *of == state) {
            Some((_, places)) => {
                places.insert(place.clone());
            }
            None => self.0.push((state, BTreeSet::from([place.clone()]))),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, places)| places.is_empty())
    }

    fn page(&self, query: &HistoryQuery) -> Vec<Execution> {
        if query.until == Some(Tick::MIN) {
            return Vec::new();
        }
        let until = query
            .until
            .map(|until| (Reverse(until.saturating_add_millis(-1)), None));
        let after = query.after.as_ref().map(place);
        let first = match (until, after) {
            (Some(until), Some(after)) if until > after => Bound::Included(until),
            (_, Some(after)) => Bound::Excluded(after),
            (Some(until), None) => Bound::Included(until),
            (None, None) => Bound::Unbounded,
        };
        let is_wanted = |state| query.states.is_empty() || query.states.contains(&state);
        let mut page: Vec<&Place> = Vec::new();
        for (_, places) in self.0.iter().filter(|(state, _)| is_wanted(*state)) {
            let found = places
                .range((first.clone(), Bound::Unbounded))
                .take_while(|(Reverse(tick), _)| query.since.is_none_or(|since| *tick >= since));
            page.extend(work::seen(found.take(query.limit)));
        }
        page.sort_unstable();
        page.into_iter()
            .take(query.limit)
            .filter_map(execution)
            .collect()
    }

    fn over(&self) -> usize {
        self.over_sets().map(BTreeSet::len).sum()
    }

    /// The `count` records that are over with the oldest ticks, those before `until`, oldest first.
    fn oldest_over(&self, count: usize, until: Option<Timestamp>) -> Vec<Execution> {
        let is_before = |tick: Tick| until.is_none_or(|until| tick.timestamp() < until);
        let mut oldest: Vec<&Place> = Vec::new();
        for places in self.over_sets() {
            let before = places.iter().rev();
            let before = before.take_while(|(Reverse(tick), _)| is_before(*tick));
            oldest.extend(work::seen(before.take(count)));
        }
        oldest.sort_unstable_by(|a, b| b.cmp(a));
        oldest
            .into_iter()
            .take(count)
            .filter_map(execution)
            .collect()
    }

    fn over_sets(&self) -> impl Iterator<Item = &BTreeSet<Place>> {
        let over = self.0.iter().filter(|(state, _)| state.is_over());
        over.map(|(_, places)| places)
    }
}

fn place(execution: &Execution) -> Place {
    let Execution { task, index, tick } = execution;
    (Reverse(*tick), Some((task.clone(), *index)))
}

fn execution((Reverse(tick), of): &Place) -> Option<Execution> {
    let (task, index) = of.clone()?;
    Some(Execution {
        task,
        index,
        tick: *tick,
    })
}
