//! Policies as the words that stand in a store.

use std::num::NonZeroU32;

use crate::policy::{Delivery, Overlap};

/// How the delivery is written down; how many attempts it has stands beside it.
#[must_use]
pub fn delivery_word(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::AtLeastOnce { .. } => "at_least_once",
        Delivery::Transactional { .. } => "transactional",
        _ => "at_most_once",
    }
}

/// The delivery that is written so; `None` for what none is.
#[must_use]
pub fn delivery_of(word: &str, attempts_max: i64) -> Option<Delivery> {
    let attempts_max = u32::try_from(attempts_max).ok().and_then(NonZeroU32::new)?;
    match word {
        "at_most_once" => Some(Delivery::AtMostOnce),
        "at_least_once" => Some(Delivery::AtLeastOnce { attempts_max }),
        "transactional" => Some(Delivery::Transactional { attempts_max }),
        _ => None,
    }
}

/// How the overlap policy is written down.
#[must_use]
pub fn overlap_word(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "skip",
        Overlap::QueueOne => "queue_one",
        Overlap::CancelEarlier => "cancel_earlier",
        _ => "allow",
    }
}

/// The overlap policy that is written so; `None` for what none is.
#[must_use]
pub fn overlap_of(word: &str) -> Option<Overlap> {
    match word {
        "allow" => Some(Overlap::Allow),
        "skip" => Some(Overlap::Skip),
        "queue_one" => Some(Overlap::QueueOne),
        "cancel_earlier" => Some(Overlap::CancelEarlier),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_reads_back_from_its_word() {
        let attempts_max = NonZeroU32::new(3).unwrap();
        for delivery in [
            Delivery::AtMostOnce,
            Delivery::AtLeastOnce { attempts_max },
            Delivery::Transactional { attempts_max },
        ] {
            let max = i64::from(delivery.attempts_max());
            assert_eq!(delivery_of(delivery_word(delivery), max), Some(delivery));
        }
        for overlap in [
            Overlap::Allow,
            Overlap::Skip,
            Overlap::QueueOne,
            Overlap::CancelEarlier,
        ] {
            assert_eq!(overlap_of(overlap_word(overlap)), Some(overlap));
        }
        assert_eq!(delivery_of("exactly_once", 1), None);
        assert_eq!(delivery_of("at_least_once", 0), None);
        assert_eq!(overlap_of(""), None);
    }
}
