//! Replicas with the same schedules and other time zone rules.

use jiff::tz::TimeZone;
use sexton::lock::{LockManager, TaskQuery, TaskState};
use sexton::schedule::Cron;
use sexton::schedule::zone::ZoneRules;
use sexton::{Event, MemoryLockManager, Scheduler, Task};
use sexton_testkit::tzif;

use crate::fleet::{Fleet, drain, name, pass_seconds, shut_down};

const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// Summer time ends a week earlier.
const A_WEEK_EARLIER: &str = "CET-1CEST,M3.5.0,M10.4.0/3";

fn paris(rules: &[u8]) -> TimeZone {
    TimeZone::tzif("Europe/Paris", rules).unwrap()
}

async fn task(store: &MemoryLockManager) -> TaskState {
    let query = TaskQuery::Named(vec![name("t")]);
    store.tasks(&query).await.unwrap().value.remove(0)
}

#[tokio::test(start_paused = true)]
async fn replicas_with_other_rules_are_told_and_the_schedule_counts_on() {
    let fleet = Fleet::of(0).start().await;
    let start = async |zone: TimeZone| -> (Scheduler, Vec<Event>) {
        let cron = Cron::parse("30 2 * * *").unwrap().in_tz(zone).unwrap();
        let task = Task::new("t").schedule(cron).run(fleet.diary.noting());
        let builder = fleet.replica().task(task);
        let mut events = builder.events();
        let scheduler = builder.start().await.unwrap();
        pass_seconds(1.0).await;
        (scheduler, drain(&mut events))
    };
    let differences = |events: &[Event]| {
        let definitions = events.iter().filter_map(|event| match event {
            Event::DefinitionDiffers { theirs, ours, .. } => Some((theirs.clone(), ours.clone())),
            _ => None,
        });
        definitions.collect::<Vec<_>>()
    };
    let (first, events) = start(paris(&tzif::slim(CENTRAL_EUROPE))).await;
    assert_eq!(differences(&events), []);
    let before = task(&fleet.store).await;

    // The same rules in another form are no difference.
    let (second, events) = start(paris(&tzif::fat(CENTRAL_EUROPE))).await;
    assert_eq!(differences(&events), []);

    let other = paris(&tzif::slim(A_WEEK_EARLIER));
    let (third, events) = start(other.clone()).await;
    let [(theirs, ours)] = &differences(&events)[..] else {
        panic!("{events:?}");
    };
    let (their_text, their_rules) = ZoneRules::split_off(theirs);
    let (our_text, our_rules) = ZoneRules::split_off(ours);
    assert_eq!(their_text, our_text);
    assert_eq!(
        their_rules,
        [ZoneRules::of(&paris(&tzif::slim(CENTRAL_EUROPE)))]
    );
    assert_eq!(our_rules, [ZoneRules::of(&other)]);

    // New rules are no new schedule: what was missed is still caught up with.
    let after = task(&fleet.store).await;
    assert!(before.schedule_since.is_some());
    assert_eq!(after.schedule_since, before.schedule_since);
    shut_down([first, second, third]).await;
}
