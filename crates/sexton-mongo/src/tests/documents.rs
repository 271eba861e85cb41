//! Records and registers as documents, and back.

use jiff::Timestamp;
use mongodb::bson::Bson;
use sexton_core::lock::{ExecutionRecord, ExecutionState, Origin, Outcome, Reason};
use sexton_core::name::{ClaimId, InstanceId, Namespace};
use sexton_core::policy::{Delivery, Overlap};
use sexton_core::tick::{Attempt, Concurrency, Fence, Tick};
use sexton_testkit::fixtures::{execution, instance};

use crate::record::{of_document, of_history, to_document, to_history};
use crate::register::{ENDED_BYTES_MAX, OPEN_MAX, RegisterDocument};
use crate::value::{Fields, Unreadable};

fn waiting() -> ExecutionRecord {
    ExecutionRecord {
        execution: execution("t", 0),
        concurrency: Concurrency::ONE,
        origin: Origin::Scheduled,
        state: ExecutionState::Waiting,
        reason: None,
        claim_id: None,
        instance: None,
        attempt: None,
        fence: Fence::NONE,
        delivery: Delivery::default(),
        overlap: Overlap::default(),
        lease_until: None,
        deadline: None,
        former_holders: Vec::new(),
        cancel_requested: false,
        granted_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
        error: None,
        output: None,
    }
}

fn read_back(record: &ExecutionRecord) -> ExecutionRecord {
    let document = to_history(&Namespace::default(), 7, record);
    let (version, read) = of_history(&document).unwrap();
    assert_eq!(version, 7);
    let document = to_document(record);
    let of_register = of_document(&record.execution.key(), Fields(&document));
    assert_eq!(of_register.as_ref(), Ok(&read));
    read
}

#[test]
fn a_record_survives_its_document() {
    let little = waiting();
    assert_eq!(read_back(&little), little);
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    let much = ExecutionRecord {
        origin: Origin::Triggered,
        state: ExecutionState::Ended(Outcome::Failed),
        reason: Some(Reason::Overlap),
        claim_id: Some(ClaimId::from_u128(5)),
        instance: Some(instance("three")),
        attempt: Attempt::new(3),
        fence: Fence::new(4),
        delivery: Delivery::AtLeastOnce {
            attempts_max: 9.try_into().unwrap(),
        },
        overlap: Overlap::QueueOne,
        lease_until: at(1),
        deadline: at(2),
        former_holders: vec![instance("two"), instance("one")],
        cancel_requested: true,
        started_at: at(3),
        finished_at: at(4),
        error: Some("gone".to_owned()),
        output: Some("bye".to_owned()),
        ..waiting()
    };
    assert_eq!(read_back(&much), much);
}

#[test]
fn what_is_so_almost_always_is_left_out() {
    let document = to_document(&waiting());
    for field in ["origin", "deadline", "former_holders"] {
        assert!(!document.contains_key(field), "{document}");
    }
}

#[test]
fn an_origin_or_a_holder_that_nobody_wrote_is_told() {
    let key = execution("t", 0).key();
    for (field, value) in [
        ("origin", Bson::from("by magic")),
        ("former_holders", vec![""].into()),
        ("former_holders", "one".into()),
    ] {
        let mut document = to_document(&waiting());
        document.insert(field, value);
        let Unreadable(found) = of_document(&key, Fields(&document)).unwrap_err();
        assert!(found.contains(field), "{found}");
    }
}

/// A record of the largest, but for its error and its output, which what is open has none of.
fn large(after_noon_ms: i64, former_holders: usize) -> ExecutionRecord {
    let holder = |number: usize| {
        let name = format!("{number:0>width$}", width = InstanceId::BYTES_MAX);
        InstanceId::new(&name).unwrap()
    };
    let latest = Some(Tick::MAX.timestamp());
    ExecutionRecord {
        execution: execution("t", after_noon_ms),
        origin: Origin::Triggered,
        state: ExecutionState::Running,
        reason: Some(Reason::StoreUnreachable),
        claim_id: Some(ClaimId::from_u128(u128::MAX)),
        instance: Some(holder(0)),
        attempt: Attempt::new(u32::MAX),
        fence: Fence::new(u64::MAX),
        delivery: Delivery::Transactional {
            attempts_max: u32::MAX.try_into().unwrap(),
        },
        overlap: Overlap::CancelEarlier,
        lease_until: latest,
        deadline: latest,
        former_holders: (1..=former_holders).map(holder).collect(),
        cancel_requested: true,
        started_at: latest,
        finished_at: latest,
        ..waiting()
    }
}

#[test]
fn what_may_be_open_fits_a_document_whoever_held_it() {
    const DOCUMENT_MAX: usize = 16 * 1024 * 1024;
    for former_holders in [0, ExecutionRecord::FORMER_HOLDERS_MAX] {
        let mut register = RegisterDocument::default();
        let slots = |count: usize| count + (count * former_holders).div_ceil(4);
        for number in (0..).take_while(|number| slots(number + 1) <= OPEN_MAX) {
            register
                .open
                .push(large(i64::try_from(number).unwrap(), former_holders));
        }
        assert!(register.open_slots() <= OPEN_MAX);
        let bytes = register.to_document().to_vec().unwrap().len();
        assert!(
            bytes + 2 * ENDED_BYTES_MAX < DOCUMENT_MAX,
            "{former_holders}: {bytes} bytes"
        );
        // One more would be too many.
        register.open.push(large(-1, former_holders));
        assert!(register.open_slots() > OPEN_MAX);
    }
}

/// What waits and what has ended is looked at from the beginning on: a date that other drivers can
/// read, too. PyMongo refuses those before the year 1.
#[test]
fn a_register_that_is_looked_at_at_once_has_a_date_that_others_can_read() {
    let open = RegisterDocument {
        open: vec![waiting()],
        ..RegisterDocument::default()
    };
    let ended = RegisterDocument {
        ended: vec![(1, waiting())],
        ..RegisterDocument::default()
    };
    for register in [open, ended] {
        let document = register.to_document();
        let Some(Bson::DateTime(look_at)) = document.get("look_at") else {
            panic!("{document}");
        };
        assert_eq!(look_at.timestamp_millis(), 0, "{document}");
    }
}
