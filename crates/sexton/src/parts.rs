//! Parts of a store that are in trouble while the rest of it answers: a master of a cluster.
//!
//! Which part keeps a task is the lock manager's business. What is known here is which tasks it
//! answered with an error, and which with an answer since.

use std::collections::HashSet;
use std::time::Duration;

use sexton_core::name::TaskName;

/// The tasks whose last answer was an error, and since when there are any.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    lost: HashSet<TaskName>,
    since: Duration,
}

/// What an answer changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// There is trouble now.
    Lost,
    /// There is none any more, after so long.
    Back(Duration),
}

impl Parts {
    pub(crate) fn is_whole(&self) -> bool {
        self.lost.is_empty()
    }

    /// Takes note of the answer to an entry about a task.
    pub(crate) fn note(&mut self, task: &TaskName, is_answered: bool, now: Duration) -> Change {
        match is_answered {
            true => {
                let was_the_last = self.lost.remove(task) && self.lost.is_empty();
                match was_the_last {
                    true => Change::Back(now.saturating_sub(self.since)),
                    false => Change::None,
                }
            }
            false => {
                let is_first = self.lost.is_empty();
                if is_first {
                    self.since = now;
                }
                if !self.lost.contains(task) {
                    self.lost.insert(task.clone());
                }
                if is_first { Change::Lost } else { Change::None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_over_when_every_task_of_it_is_answered() {
        let mut parts = Parts::default();
        let (a, b) = (TaskName::new("a").unwrap(), TaskName::new("b").unwrap());
        let at = Duration::from_secs;
        assert_eq!(parts.note(&a, true, at(1)), Change::None);
        assert_eq!(parts.note(&a, false, at(2)), Change::Lost);
        assert_eq!(parts.note(&a, false, at(3)), Change::None);
        assert_eq!(parts.note(&b, false, at(3)), Change::None);
        assert_eq!(parts.note(&a, true, at(4)), Change::None);
        assert!(!parts.is_whole());
        assert_eq!(parts.note(&b, true, at(9)), Change::Back(at(7)));
        assert!(parts.is_whole());
    }
}
