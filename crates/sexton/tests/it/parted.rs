//! A store of which a part is in trouble, while the rest of it answers: as a cluster's masters.

use sexton::lock::{Answer, Answers, Claim, Consumption, LockError, Release, Renewal, Settlement};
use sexton::name::TaskName;

/// What becomes of the entries that the part keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// They do not arrive.
    Unreachable,
    /// They take effect, and their answers are lost.
    AnswerLost,
    /// They are refused, other than for the moment.
    Refused,
    /// They are refused, and all of their batch with them.
    BatchRefused,
}

impl Trouble {
    fn error(self) -> LockError {
        let (store, action) = ("a part".to_owned(), "answer");
        match self {
            Trouble::Unreachable | Trouble::AnswerLost => LockError::Unavailable {
                store,
                action,
                source: std::sync::Arc::new(std::io::Error::other(format!("{self:?}"))),
            },
            Trouble::Refused | Trouble::BatchRefused => LockError::Refused {
                store,
                action,
                advice: "mend it".to_owned(),
                source: None,
            },
        }
    }
}

/// An entry of a batch.
pub(crate) trait OfTask {
    fn task(&self) -> &TaskName;
}

macro_rules! of_task {
    ($($entry:ty => $($field:ident).*;)*) => {$(
        impl OfTask for $entry {
            fn task(&self) -> &TaskName {
                &self.$($field).*
            }
        }
    )*};
}

of_task! {
    Claim => execution.task;
    Consumption => execution.task;
    Release => lock.execution.task;
    Renewal => lock.execution.task;
    Settlement => lock.execution.task;
}

/// The entries of a batch that arrive.
pub(crate) fn that_arrive<E: OfTask + Clone>(
    batch: &[E],
    trouble: Trouble,
    is_kept_there: impl Fn(&TaskName) -> bool,
) -> Vec<E> {
    let arrives = |entry: &&E| trouble == Trouble::AnswerLost || !is_kept_there(entry.task());
    batch.iter().filter(arrives).cloned().collect()
}

/// What is answered to a batch, if this was answered to those that arrived.
pub(crate) fn answered<E: OfTask, T>(
    batch: &[E],
    trouble: Trouble,
    is_kept_there: impl Fn(&TaskName) -> bool,
    answer: Answer<Vec<T>>,
) -> Answers<T> {
    let mut arrived = answer.value.into_iter();
    let each = batch.iter().map(|entry| {
        let is_lost = is_kept_there(entry.task());
        let arrives = !is_lost || trouble == Trouble::AnswerLost;
        let value = arrives.then(|| arrived.next().unwrap());
        value.filter(|_| !is_lost).ok_or_else(|| trouble.error())
    });
    let value = each.collect();
    Answer {
        now: answer.now,
        value,
    }
}
