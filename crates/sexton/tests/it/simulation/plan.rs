//! What a simulation is made of, drawn from its seed: the tasks, the lives of the replicas, what befalls them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton::Tick;
use sexton::policy::{Missed, Overlap, Placement};

use super::link::Weather;

/// So long things go wrong; then all is well.
pub(crate) const TROUBLE: Duration = Duration::from_secs(25);

/// A task, and how long its runs take.
#[derive(Debug, Clone)]
pub(crate) struct TaskPlan {
    pub(crate) name: String,
    pub(crate) period: Duration,
    pub(crate) concurrency: u64,
    /// 1: at most once.
    pub(crate) attempts_max: u32,
    pub(crate) lease: Duration,
    pub(crate) overlap: Overlap,
    pub(crate) missed: Missed,
    pub(crate) placement: Placement,
    pub(crate) jitter: Option<Duration>,
    /// How many of its runs a replica has at once.
    pub(crate) running_max: Option<usize>,
    pub(crate) work_max: Duration,
}

/// One process of a replica.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) begins: Duration,
    pub(crate) ends: Duration,
    pub(crate) ending: Ending,
    /// In the order in which they happen.
    pub(crate) blows: Vec<(Duration, Blow)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    Crash,
    /// With so long for its runs to end.
    Shutdown(Duration),
}

/// What befalls a process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blow {
    /// It does nothing for so long.
    Stop(Duration),
    Weather(Weather),
}

/// A machine.
#[derive(Debug, Clone)]
pub(crate) struct ReplicaPlan {
    /// How far its clock is ahead of the store's.
    pub(crate) skew: SignedDuration,
    pub(crate) lives: Vec<Life>,
}

/// What befalls the store, or is asked of it by hand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    ClockJump(SignedDuration),
    Pause(usize),
    Resume(usize),
    Trigger(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<TaskPlan>,
    pub(crate) replicas: Vec<ReplicaPlan>,
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) lead: Duration,
    pub(crate) call_limit: Duration,
    /// How long the store remembers what is over.
    pub(crate) memory: Duration,
}

impl TaskPlan {
    pub(crate) fn period_ms(&self) -> i64 {
        i64::try_from(self.period.as_millis()).unwrap()
    }

    /// The last tick before `end`.
    pub(crate) fn last_tick(&self, end: Timestamp) -> Tick {
        let period_ms = self.period_ms();
        let last_ms = (end.as_millisecond() - 1).div_euclid(period_ms) * period_ms;
        Tick::from_millis(last_ms).unwrap()
    }
}

impl Plan {
    /// The next plan of this thread's random numbers.
    pub(crate) fn draw() -> Plan {
        let tasks: Vec<TaskPlan> = (1..=fastrand::u32(2..=4)).map(draw_task).collect();
        Plan {
            replicas: (0..fastrand::u32(3..=5)).map(|_| draw_replica()).collect(),
            deeds: draw_deeds(&tasks),
            lead: one_of(&[100, 300, 500, 500, 1_000]),
            call_limit: one_of(&[300, 1_000, 2_000]),
            memory: one_of(&[500, 2_000, 10_000]),
            tasks,
        }
    }
}

fn draw_task(number: u32) -> TaskPlan {
    let period = one_of(&[500, 700, 1_000, 1_500, 2_500]);
    let window = one_of(&[1_000, 3_000, 8_000]);
    let is_at_most_once = fastrand::bool();
    TaskPlan {
        name: format!("t{number}"),
        period,
        concurrency: fastrand::u64(1..=3),
        attempts_max: if is_at_most_once {
            1
        } else {
            fastrand::u32(2..=4)
        },
        lease: one_of(&[300, 800, 2_000, 3_000]),
        overlap: match fastrand::u8(0..6) {
            0 => Overlap::Skip,
            1 => Overlap::QueueOne,
            2 => Overlap::CancelEarlier,
            _ => Overlap::Allow,
        },
        missed: match fastrand::u8(0..4) {
            0 => Missed::Latest { window },
            1 => Missed::All { window },
            _ => Missed::Skip,
        },
        placement: if fastrand::u8(0..4) == 0 {
            Placement::Distinct
        } else {
            Placement::Race
        },
        jitter: (fastrand::u8(0..5) == 0).then(|| one_of(&[50, 200])),
        running_max: (fastrand::u8(0..5) == 0).then(|| fastrand::usize(1..=2)),
        work_max: one_of(&[1, 100, 600, 3_000]),
    }
}

fn draw_replica() -> ReplicaPlan {
    let skew_ms = one_of(&[0, 50, 2_000, 30_000, 3_600_000]);
    let skew = SignedDuration::try_from(skew_ms).unwrap_or_default();
    let mut lives = Vec::new();
    let mut begins = up_to(if fastrand::u8(0..3) == 0 { 4_000 } else { 300 });
    while begins < TROUBLE {
        let length = Duration::from_secs(1) + up_to(one_of_ms(&[5_000, 15_000, 40_000]));
        let ends = (begins + length).min(TROUBLE);
        lives.push(Life {
            begins,
            ends,
            ending: match fastrand::u8(0..3) {
                0 => Ending::Shutdown(up_to(2_000)),
                _ => Ending::Crash,
            },
            blows: draw_blows(begins, ends),
        });
        begins = ends + up_to(one_of_ms(&[300, 2_000, 6_000]));
    }
    ReplicaPlan {
        skew: if fastrand::bool() { skew } else { -skew },
        lives,
    }
}

fn draw_blows(begins: Duration, ends: Duration) -> Vec<(Duration, Blow)> {
    let mut blows = Vec::new();
    let mut at = begins + up_to(5_000);
    while at < ends {
        blows.push((at, draw_blow()));
        at += up_to(one_of_ms(&[1_000, 4_000, 8_000]));
    }
    blows
}

fn draw_blow() -> Blow {
    let delay_max = one_of(&[2, 30, 400, 3_000]);
    let breaks_loudly = fastrand::bool();
    let fair = Weather::FAIR;
    Blow::Weather(match fastrand::u8(0..8) {
        0 | 1 => return Blow::Stop(up_to(one_of_ms(&[300, 2_000, 8_000]))),
        2 => fair,
        3 => Weather { delay_max, ..fair },
        4 => Weather {
            delay_max,
            cut: fastrand::f64(),
            deaf: fastrand::f64(),
            breaks_loudly,
        },
        5 => Weather {
            deaf: 0.7,
            breaks_loudly,
            ..fair
        },
        6 => Weather {
            cut: 1.0,
            breaks_loudly,
            ..fair
        },
        _ => Weather {
            delay_max,
            cut: 0.1,
            deaf: 0.2,
            breaks_loudly,
        },
    })
}

fn draw_deeds(tasks: &[TaskPlan]) -> Vec<(Duration, Deed)> {
    let mut deeds = Vec::new();
    if fastrand::u8(0..3) == 0 {
        for _ in 0..fastrand::u8(1..=2) {
            let by_ms = fastrand::i64(-3_000..=3_000);
            let by = SignedDuration::from_millis(by_ms);
            deeds.push((up_to(25_000), Deed::ClockJump(by)));
        }
    }
    for (task, plan) in tasks.iter().enumerate() {
        if fastrand::u8(0..4) == 0 {
            let pause = up_to(20_000);
            deeds.push((pause, Deed::Pause(task)));
            deeds.push((pause + up_to(6_000), Deed::Resume(task)));
        }
        // A trigger takes the place of a tick that its jitter still delays: see GUARANTEES.md.
        if plan.jitter.is_none() && fastrand::u8(0..4) == 0 {
            deeds.push((up_to(25_000), Deed::Trigger(task)));
        }
    }
    deeds.sort_by_key(|(at, _)| *at);
    deeds
}

/// A duration between nothing and so many milliseconds.
pub(crate) fn up_to(longest_ms: u64) -> Duration {
    Duration::from_millis(fastrand::u64(0..=longest_ms))
}

fn one_of_ms(choices: &[u64]) -> u64 {
    choices[fastrand::usize(0..choices.len())]
}

fn one_of(choices_ms: &[u64]) -> Duration {
    Duration::from_millis(one_of_ms(choices_ms))
}
