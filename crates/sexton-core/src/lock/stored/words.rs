//! Policies as the words that stand in a store.

use std::num::NonZeroU32;

use crate::policy::{Delivery, Overlap};

/// How the delivery is written down; how many attempts it has stands beside it.
#[must_use]
pub fn delivery_word(delivery: Delivery) -> &'static str {
    delivery.as_str()
}

/// The delivery that is written so; `None` for what none is.
#[must_use]
pub fn delivery_of(word: &str, attempts_max: i64) -> Option<Delivery> {
    let attempts_max = u32::try_from(attempts_max).ok().and_then(NonZeroU32::new)?;
    Delivery::named(word, attempts_max)
}

/// How the overlap policy is written down.
#[must_use]
pub fn overlap_word(overlap: Overlap) -> &'static str {
    overlap.as_str()
}

/// The overlap policy that is written so; `None` for what none is.
#[must_use]
pub fn overlap_of(word: &str) -> Option<Overlap> {
    word.parse().ok()
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
        for overlap in Overlap::ALL {
            assert_eq!(overlap_of(overlap_word(overlap)), Some(overlap));
        }
        assert_eq!(delivery_of("exactly once", 1), None);
        assert_eq!(delivery_of("at least once", 0), None);
        assert_eq!(overlap_of(""), None);
    }
}
