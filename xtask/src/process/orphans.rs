//! Processes whose parents ended before them: the kernel makes them our children.

use std::fs;
use std::io;

use rustix::process::{
    Pid, Signal, WaitOptions, child_subreaper, getpid, kill_process, set_child_subreaper, waitpid,
};

/// How often we look again: a process that is stopped may leave children of its own.
const ROUNDS_MAX: usize = 100;

/// Makes us the parent of every orphan among our descendants.
pub(super) fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Stops all our children, and theirs. Called when no step is running, so that all of them are orphans.
pub(super) fn stop() -> Vec<String> {
    let mut stopped = Vec::new();
    if !matches!(child_subreaper(), Ok(Some(_))) {
        return stopped;
    }
    for _ in 0..ROUNDS_MAX {
        let orphans = children(getpid());
        if orphans.is_empty() {
            break;
        }
        for orphan in orphans {
            if !orphan.is_ended {
                stopped.push(format!("{} (process {})", orphan.name, orphan.id));
            }
            // It may have ended meanwhile; then there is only the waiting left.
            let _ = kill_process(orphan.id, Signal::KILL);
            let _ = waitpid(Some(orphan.id), WaitOptions::empty());
        }
    }
    stopped
}

/// A line of the table of processes.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: Pid,
    parent: i32,
    name: String,
    is_ended: bool,
}

fn children(parent: Pid) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| read(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .filter(|process| process.parent == parent.as_raw_nonzero().get())
        .collect()
}

/// Reads `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where the name may hold anything.
fn read(stat: &str) -> Option<Process> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some(Process {
        id: Pid::from_raw(id.parse().ok()?)?,
        is_ended: matches!(fields.next()?, "Z" | "X"),
        parent: fields.next()?.parse().ok()?,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_read() {
        let process = read("17 (a) b (c) S 4 17 17 0").unwrap();
        assert_eq!((process.name.as_str(), process.parent), ("a) b (c", 4));
        assert!(!process.is_ended);
        assert!(read("17 (a) Z 4 17").unwrap().is_ended);
        assert_eq!(read("17 (a"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn we_are_among_the_children_of_our_parent() {
        let parent = rustix::process::getppid().unwrap();
        assert!(
            children(parent)
                .iter()
                .any(|process| process.id == getpid())
        );
    }
}
