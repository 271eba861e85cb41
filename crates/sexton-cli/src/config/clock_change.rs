//! `clock_change`: what becomes of a schedule's times where clocks are set forward or back.

use sexton_core::schedule::{ClockChanges, Fold, Gap};

use super::field::by_word;
use super::fields::Field;

const FORM: &str =
    "{ gap = \"run\" or \"skip\", fold = \"first\", \"last\" or \"both\" }, either or both";

/// What a task chooses. What it does not name stays as its expression has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    gap: Option<Gap>,
    fold: Option<Fold>,
}

impl Chosen {
    /// The choice for an expression that by itself does as `own` says.
    pub(super) fn over(self, own: ClockChanges) -> ClockChanges {
        ClockChanges {
            gap: self.gap.unwrap_or(own.gap),
            fold: self.fold.unwrap_or(own.fold),
        }
    }
}

/// Reads `clock_change`, or reports why it cannot be used.
pub(super) fn read(field: &Field<'_>) -> Option<Chosen> {
    let mut fields = field.table(FORM)?;
    let gap = fields.get("gap");
    let fold = fields.get("fold");
    fields.finish();
    if gap.is_none() && fold.is_none() {
        field.reject("there is neither `gap` nor `fold` in it", FORM);
        return None;
    }
    Some(Chosen {
        gap: gap.and_then(|field| field.word(&by_word(Gap::ALL, Gap::as_str))),
        fold: fold.and_then(|field| field.word(&by_word(Fold::ALL, Fold::as_str))),
    })
}
