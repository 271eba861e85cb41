//! Batches of which a part of the store fails while the rest of it answers, as one of a cluster's
//! masters does.

use sexton_core::lock::{
    Answer, Answers, Claim, Consumption, LockError, Release, Renewal, Settlement,
};
use sexton_core::name::TaskName;

/// What happens to the entries that the failing part keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// They do not arrive.
    Unreachable,
    /// They take effect, and their answers are lost.
    AnswerLost,
    /// They are refused permanently.
    Refused,
    /// They are refused permanently, and the rest of their batch with them.
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

/// An entry of a batch, which belongs to a task.
pub trait OfTask {
    /// The task that the entry belongs to.
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

/// The entries of a batch that arrive at the store.
pub fn that_arrive<E: OfTask + Clone>(
    batch: &[E],
    trouble: Trouble,
    is_kept_there: impl Fn(&TaskName) -> bool,
) -> Vec<E> {
    let arrives = |entry: &&E| trouble == Trouble::AnswerLost || !is_kept_there(entry.task());
    batch.iter().filter(arrives).cloned().collect()
}

/// The answers to a whole batch, from those to the entries that arrived.
pub fn answered<E: OfTask, T>(
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
