//! Sets a command's limits without falling under them itself.
//!
//! A process cannot raise a limit again that it has lowered for good. So the soft limits are lowered only while the command
//! is started, which inherits them, and the command's hard limits are lowered by prlimit(2) right after. The address space
//! is limited only then: this process itself may have more of it than the command may.

use std::io;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};

use crate::tasks::Limits;

/// How much more processor time a command has that goes on after SIGXCPU, in seconds.
const CPU_GRACE_SECONDS: u64 = 5;

fn each(limits: &Limits) -> impl Iterator<Item = (Resource, u64)> {
    let Limits {
        memory,
        files,
        cpu,
        processes,
        core,
        file_size,
    } = *limits;
    [
        (Resource::As, memory),
        (Resource::Nofile, files),
        (Resource::Cpu, cpu),
        (Resource::Nproc, processes),
        (Resource::Core, core),
        (Resource::Fsize, file_size),
    ]
    .into_iter()
    .filter_map(|(resource, limit)| Some((resource, limit?)))
}

fn hard(resource: Resource, limit: u64) -> u64 {
    match resource {
        Resource::Cpu => limit.saturating_add(CPU_GRACE_SECONDS),
        _ => limit,
    }
}

/// Raises this process's hard limits to what the command is allowed, while it still may.
pub(super) fn allow(limits: &Limits) -> io::Result<()> {
    for (resource, limit) in each(limits) {
        let own = getrlimit(resource);
        let wanted = hard(resource, limit);
        if own.maximum.is_some_and(|maximum| maximum < wanted) {
            let raised = Rlimit {
                maximum: Some(wanted),
                ..own
            };
            setrlimit(resource, raised)?;
        }
    }
    Ok(())
}

/// This process with the command's soft limits.
pub(super) struct Limited {
    before: Vec<(Resource, Rlimit)>,
}

impl Limited {
    pub(super) fn begin(limits: &Limits) -> io::Result<Limited> {
        let mut limited = Limited { before: Vec::new() };
        let inherited = each(limits).filter(|(resource, _)| *resource != Resource::As);
        for (resource, limit) in inherited {
            let own = getrlimit(resource);
            limited.before.push((resource, own.clone()));
            let lowered = Rlimit {
                current: Some(limit),
                ..own
            };
            setrlimit(resource, lowered)?;
        }
        Ok(limited)
    }

    pub(super) fn end(self) -> io::Result<()> {
        for (resource, before) in self.before {
            setrlimit(resource, before)?;
        }
        Ok(())
    }
}

/// Sets the limits of the command, which it cannot raise again.
#[cfg(target_os = "linux")]
pub(super) fn settle(limits: &Limits, command: Pid) -> io::Result<()> {
    for (resource, limit) in each(limits) {
        let both = Rlimit {
            current: Some(limit),
            maximum: Some(hard(resource, limit)),
        };
        match rustix::process::prlimit(Some(command), resource, both) {
            // It has ended already.
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// There is no prlimit(2) here: the command keeps what it inherited.
#[cfg(not(target_os = "linux"))]
pub(super) fn settle(_: &Limits, _: Pid) -> io::Result<()> {
    Ok(())
}
