//! What goes wrong in a port's calls, by a script or from a seed.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use sexton_core::lock::LockKey;
use sexton_core::lock::engine::Unavailable;

use super::error::MemoryError;

/// A call of the port, or the later half of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `Connect::check_out`.
    CheckOut,
    /// `Connect::undo`.
    Undo,
    /// `Load::now`.
    Now,
    /// `Load::load`.
    Load,
    /// `Load::candidates`.
    Candidates,
    /// `CompareAndSwap::swap`.
    Swap,
    /// `Fleet::beat`.
    Beat,
    /// `Fleet::leave`.
    Leave,
    /// `Fleet::instances`.
    Instances,
    /// `Fleet::notify`.
    Notify,
    /// The first half of `Tasks::define`.
    ReadDefinitions,
    /// The second half of `Tasks::define`.
    WriteDefinitions,
    /// The first half of `Tasks::change_pause`, after which the pause can be seen.
    SetPause,
    /// The second half of `Tasks::change_pause`.
    RaiseVersions,
    /// `Tasks::tasks`.
    Tasks,
    /// `History::history`.
    History,
    /// `History::prune`.
    Prune,
}

/// What goes wrong in one call.
pub enum Fault {
    /// Nothing: the script's next fault is for a later call.
    Nothing,
    /// The call fails before it takes effect.
    Fails(MemoryError),
    /// The call takes effect, and its answer is lost.
    LosesAnswer(MemoryError),
    /// The call takes effect after a while.
    Takes(Duration),
    /// The call never answers, and takes no effect.
    Stalls,
    /// The call takes effect and never answers.
    StallsAfterwards,
    /// Another client acts before the call takes effect.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

impl Fault {
    /// Another client acts before the call takes effect.
    pub fn meanwhile(act: impl FnOnce() + Send + 'static) -> Fault {
        Fault::Meanwhile(Box::new(act))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Nothing => f.write_str("Nothing"),
            Fault::Fails(error) => f.debug_tuple("Fails").field(error).finish(),
            Fault::LosesAnswer(error) => f.debug_tuple("LosesAnswer").field(error).finish(),
            Fault::Takes(duration) => f.debug_tuple("Takes").field(duration).finish(),
            Fault::Stalls => f.write_str("Stalls"),
            Fault::StallsAfterwards => f.write_str("StallsAfterwards"),
            Fault::Meanwhile(_) => f.write_str("Meanwhile"),
        }
    }
}

/// How often what goes wrong, in calls of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odds {
    /// The call finds what it needs held by others.
    pub busy: u32,
    /// The connection breaks before the call takes effect.
    pub broken: u32,
    /// The connection breaks after the call took effect.
    pub lost_answer: u32,
    /// The store is out of order.
    pub transient: u32,
    /// Another client writes to a key between the load and the swap: in swaps of a thousand.
    pub conflict: u32,
    /// The longest that a call takes effect late.
    pub delay_max: Duration,
}

/// The faults of one port.
#[derive(Debug)]
pub(super) struct Faults {
    script: HashMap<Call, VecDeque<Fault>>,
    random: Option<(Rng, Odds)>,
}

impl Faults {
    pub(super) fn none() -> Faults {
        Faults {
            script: HashMap::new(),
            random: None,
        }
    }

    pub(super) fn seeded(seed: u64, odds: Odds) -> Faults {
        Faults {
            script: HashMap::new(),
            random: Some((Rng::with_seed(seed), odds)),
        }
    }

    pub(super) fn push(&mut self, call: Call, fault: Fault) {
        self.script.entry(call).or_default().push_back(fault);
    }

    /// How many faults of the script no call has met yet.
    pub(super) fn left(&self) -> usize {
        self.script.values().map(VecDeque::len).sum()
    }

    /// What goes wrong in the next call of this kind.
    pub(super) fn next(&mut self, call: Call) -> Fault {
        if let Some(fault) = self.script.get_mut(&call).and_then(VecDeque::pop_front) {
            return fault;
        }
        match &mut self.random {
            Some((rng, odds)) => drawn(rng, *odds, call),
            None => Fault::Nothing,
        }
    }

    /// How often the next call lets others run before it takes effect.
    pub(super) fn yields(&mut self) -> u32 {
        self.random.as_mut().map_or(0, |(rng, _)| rng.u32(0..3))
    }

    /// Which of a swap's keys another client has written to since they were loaded.
    pub(super) fn touched(&mut self, keys: &BTreeSet<LockKey>) -> Vec<LockKey> {
        let Some((rng, odds)) = &mut self.random else {
            return Vec::new();
        };
        if rng.u32(0..1_000) >= odds.conflict {
            return Vec::new();
        }
        keys.iter().filter(|_| rng.bool()).cloned().collect()
    }
}

fn drawn(rng: &mut Rng, odds: Odds, call: Call) -> Fault {
    let roll = rng.u32(0..1_000);
    let busy = odds.busy;
    let broken = busy + odds.broken;
    let lost = broken + odds.lost_answer;
    let transient = lost + odds.transient;
    match call {
        // What fails here is never tried again.
        Call::Undo | Call::CheckOut => Fault::Nothing,
        _ if roll < busy => Fault::Fails(MemoryError::Busy),
        _ if roll < broken => Fault::Fails(MemoryError::Broken),
        // How many records went cannot be found out afterwards.
        Call::Prune if roll < lost => Fault::Nothing,
        _ if roll < lost => Fault::LosesAnswer(MemoryError::Broken),
        _ if roll < transient => Fault::Fails(MemoryError::Unavailable(Unavailable::ReadOnly)),
        _ if !odds.delay_max.is_zero() && rng.bool() => {
            Fault::Takes(odds.delay_max.mul_f64(rng.f64()))
        }
        _ => Fault::Nothing,
    }
}
