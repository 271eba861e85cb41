//! The processes that a command has started, wherever they went.

use rustix::process::{Pid, Signal, kill_process};

/// What /proc/PID/stat says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    state: u8,
    parent: i32,
    group: i32,
    session: i32,
}

/// Sends a signal to every process below this one. Of those that run while the list is read, some
/// may be missed: who wants all of them gone repeats this until there are none.
pub(super) fn kill_all() {
    signal_where(Signal::KILL, |_| true);
}

/// Sends a signal to those below this process that are in this process group. The group's number
/// may be another's when there are none.
pub(super) fn signal_group(group: Pid, signal: Signal) {
    signal_where(signal, |process| {
        process.group == group.as_raw_nonzero().get()
    });
}

/// How far another process than the one that watches a command has come with ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// Processes of the command are left, or were until they were sent SIGKILL just now.
    Left,
    /// None is left.
    Nothing {
        /// Whether the watching process stands still.
        is_watcher_stopped: bool,
    },
    /// There is no telling: this system has no /proc.
    Unknown,
}

/// Sends SIGKILL to every process below the watching process, whatever the state of that.
pub(crate) fn kill_below(watcher: Pid) -> Below {
    let all = processes();
    if all.is_empty() {
        return Below::Unknown;
    }
    let watcher = watcher.as_raw_nonzero().get();
    let mut left = false;
    for process in below(watcher, &all) {
        if let Some(pid) = Pid::from_raw(process.pid).filter(|_| process.is_alive()) {
            left = true;
            // One that cannot be killed is left.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    if left {
        return Below::Left;
    }
    let watcher = all.iter().find(|process| process.pid == watcher);
    Below::Nothing {
        is_watcher_stopped: watcher.is_some_and(|watcher| matches!(watcher.state, b'T' | b't')),
    }
}

impl Process {
    /// Whether it is no zombie.
    fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

fn signal_where(signal: Signal, is_meant: impl Fn(&Process) -> bool) {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    for process in below(own, &processes()) {
        if let Some(pid) = Pid::from_raw(process.pid).filter(|_| is_meant(&process)) {
            // One that has ended meanwhile is what was wanted; one that is not ours to end stays a
            // child.
            let _ = kill_process(pid, signal);
        }
    }
}

/// The processes of this machine; none where there is no /proc.
fn processes() -> Vec<Process> {
    let Ok(listing) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbered = listing.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        parse(pid, &std::fs::read(entry.path().join("stat")).ok()?)
    });
    numbered.collect()
}

/// The name of a process stands in parentheses, and may have any bytes but NUL.
fn parse(pid: i32, stat: &[u8]) -> Option<Process> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut words = rest.split_ascii_whitespace();
    let state = *words.next()?.as_bytes().first()?;
    let mut numbers = words.map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Process {
        pid,
        state,
        parent: next()?,
        group: next()?,
        session: next()?,
    })
}

/// Those that descend from `own`, or are of its session.
fn below(own: i32, all: &[Process]) -> Vec<Process> {
    let is_other = |process: &&Process| process.pid != own;
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![own];
    let mut left: Vec<Process> = all.iter().filter(is_other).copied().collect();
    while let Some(parent) = parents.pop() {
        let is_child = |process: &mut Process| {
            process.parent == parent || (parent == own && process.session == own)
        };
        for child in left.extract_if(.., is_child) {
            parents.push(child.pid);
            found.push(child);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_process_is_called() {
        let process = Process {
            pid: 42,
            state: b'S',
            parent: 7,
            group: 40,
            session: 39,
        };
        for name in ["sh", "a) R 1 2 3 (b", "\u{e9}"] {
            let stat = format!("42 ({name}) S 7 40 39 0 -1 4194304 105");
            assert_eq!(parse(42, stat.as_bytes()), Some(process), "{name}");
        }
        assert_eq!(parse(42, b"42 (sh\xff) S 7 40 39 0"), Some(process));
        assert_eq!(parse(42, b"42 (sh"), None);
        assert_eq!(parse(42, b"42 (sh) S 7"), None);
    }

    #[test]
    fn children_and_theirs_and_the_session_are_below_and_nobody_else() {
        let process = |pid, parent, session| Process {
            pid,
            state: b'S',
            parent,
            group: pid,
            session,
        };
        let all = [
            process(1, 0, 1),
            process(10, 1, 10),
            process(11, 10, 10),
            process(13, 12, 13),
            process(12, 11, 12),
            process(14, 1, 10),
            process(15, 1, 15),
            process(16, 15, 15),
        ];
        let mut pids: Vec<i32> = below(10, &all).iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [11, 12, 13, 14]);
    }
}
