//! What a simulation is made of, drawn from its seed: the tasks, the lives of the replicas, what
//! befalls them.

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

/// A task's schedule as it is changed: its ticks lie half a period later, and none where there was
/// one before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edit {
    pub(crate) task: usize,
    pub(crate) at: Duration,
    /// Whether running replicas are told; else those have it that start from then on.
    pub(crate) is_replaced: bool,
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
    /// It is told of the changed schedule.
    Edit,
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
    /// Nobody reaches the store for so long.
    Outage(Duration),
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<TaskPlan>,
    pub(crate) replicas: Vec<ReplicaPlan>,
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) edit: Option<Edit>,
    pub(crate) lead: Duration,
    pub(crate) call_limit: Duration,
    /// How long the store remembers what is over.
    pub(crate) memory: Duration,
}

impl TaskPlan {
    pub(crate) fn period_ms(&self) -> i64 {
        i64::try_from(self.period.as_millis()).unwrap()
    }

    /// How much later its ticks lie once its schedule was changed.
    pub(crate) fn phase_ms(&self) -> i64 {
        self.period_ms() / 2
    }

    /// Whether its schedule is due then.
    pub(crate) fn is_due(&self, tick: Tick, version: Version) -> bool {
        (tick.as_millis() - version.phase_ms(self)).rem_euclid(self.period_ms()) == 0
    }

    /// The last tick before `end`.
    pub(crate) fn last_tick(&self, end: Timestamp, version: Version) -> Tick {
        let phase_ms = version.phase_ms(self);
        let period_ms = self.period_ms();
        let periods = (end.as_millisecond() - 1 - phase_ms).div_euclid(period_ms);
        Tick::from_millis(periods * period_ms + phase_ms).unwrap()
    }
}

/// Which of a task's schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Edited,
}

impl Version {
    pub(crate) fn phase_ms(self, task: &TaskPlan) -> i64 {
        match self {
            Version::First => 0,
            Version::Edited => task.phase_ms(),
        }
    }
}

impl Plan {
    /// The next plan of this thread's random numbers.
    pub(crate) fn draw() -> Plan {
        let tasks: Vec<TaskPlan> = (1..=fastrand::u32(2..=4)).map(draw_task).collect();
        let edit = draw_edit(tasks.len());
        let mut replicas: Vec<ReplicaPlan> =
            (0..fastrand::u32(3..=5)).map(|_| draw_replica()).collect();
        if fastrand::u8(0..4) == 0 {
            go_away(&mut replicas);
        }
        if let Some(edit) = edit.filter(|edit| edit.is_replaced) {
            let lives = replicas.iter_mut().flat_map(|replica| &mut replica.lives);
            for life in lives.filter(|life| life.begins < edit.at && edit.at < life.ends) {
                life.blows.push((edit.at, Blow::Edit));
                life.blows.sort_by_key(|(at, _)| *at);
            }
        }
        Plan {
            replicas,
            edit,
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

fn draw_edit(tasks: usize) -> Option<Edit> {
    (fastrand::u8(0..3) == 0).then(|| Edit {
        task: fastrand::usize(0..tasks),
        at: Duration::from_secs(3) + up_to(15_000),
        is_replaced: fastrand::bool(),
    })
}

/// Lets the whole fleet be away for a while: by shutdowns, as in a deployment that does not roll,
/// or by crashes.
fn go_away(replicas: &mut [ReplicaPlan]) {
    let from = Duration::from_secs(2) + up_to(12_000);
    let back = from + Duration::from_secs(1) + up_to(8_000);
    for replica in replicas {
        replica.lives.retain_mut(|life| {
            if life.begins >= from && life.begins < back {
                life.begins = back + up_to(500);
            }
            if life.begins < from && life.ends > from {
                life.ends = from;
                life.ending = Ending::Shutdown(up_to(2_000));
            }
            life.blows
                .retain(|(at, _)| *at >= life.begins && *at < life.ends);
            life.begins < life.ends
        });
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
                0 => Ending::Crash,
                _ => Ending::Shutdown(up_to(one_of_ms(&[0, 500, 3_000]))),
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
    Blow::Weather(match fastrand::u8(0..10) {
        0 | 1 => return Blow::Stop(up_to(one_of_ms(&[300, 2_000, 8_000]))),
        2 => fair,
        3 => Weather { delay_max, ..fair },
        4 => Weather {
            delay_max,
            cut: fastrand::f64(),
            deaf: fastrand::f64(),
            breaks_loudly,
            ..fair
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
        7 => Weather {
            parted: 1.0,
            ..fair
        },
        8 => Weather {
            delay_max,
            parted: fastrand::f64(),
            ..fair
        },
        _ => Weather {
            delay_max,
            cut: 0.1,
            deaf: 0.2,
            breaks_loudly,
            ..fair
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
    for task in 0..tasks.len() {
        if fastrand::u8(0..4) == 0 {
            let pause = up_to(20_000);
            deeds.push((pause, Deed::Pause(task)));
            deeds.push((pause + up_to(6_000), Deed::Resume(task)));
        }
        if fastrand::u8(0..4) == 0 {
            for _ in 0..fastrand::u8(1..=2) {
                deeds.push((up_to(25_000), Deed::Trigger(task)));
            }
        }
    }
    if fastrand::u8(0..3) == 0 {
        let outage = Deed::Outage(up_to(one_of_ms(&[1_000, 4_000, 8_000])));
        deeds.push((up_to(20_000), outage));
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
