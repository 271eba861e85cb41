//! Starts a command under limits: through one more process, which limits itself and then becomes
//! the command.
//!
//! The process that watches cannot take the limits itself, since it could not go on under them, and
//! to limit a command that has begun is too late: what it has started by then would have no limits.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::arguments::{LIMITED, NAME, not_ours, refused};
use super::failure::{Failure, errno};
use super::wire::Step;
use crate::program_file::program_file;
use crate::tasks::Limits;

/// How much more processor time a command has that ignores SIGXCPU, in seconds.
const CPU_GRACE_SECONDS: u64 = 5;

/// The limits that are set. That of the address space is the last, since nothing can be allocated
/// after it.
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
        (Resource::Nofile, files),
        (Resource::Cpu, cpu),
        (Resource::Nproc, processes),
        (Resource::Core, core),
        (Resource::Fsize, file_size),
        (Resource::As, memory),
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

/// Sets how many descriptors this process and its commands may have; the program's own limit may be
/// higher.
pub(super) fn set_files(limit: Option<u64>) {
    let own = getrlimit(Resource::Nofile);
    let lowered = Rlimit {
        current: limit,
        ..own
    };
    if limit.is_some() && own.current != limit {
        // A command with more of them than usual is no reason not to start it.
        let _ = setrlimit(Resource::Nofile, lowered);
    }
}

/// The word of a limited command that could not be started.
pub(super) struct Report(PipeReader);

impl Report {
    /// Whether the command runs: the other end of the pipe closes then without a word.
    pub(super) fn read(mut self) -> Result<(), Failure> {
        let mut word = Vec::new();
        let read = self.0.read_to_end(&mut word);
        read.map_err(Failure::at(Step::Program))?;
        match word.as_slice() {
            [] => Ok(()),
            [step, errno @ ..] => Err(Failure {
                step: if *step == 0 {
                    Step::Limits
                } else {
                    Step::Program
                },
                errno: errno.try_into().map_or(0, i32::from_le_bytes),
            }),
        }
    }
}

/// The command under its limits. The file must be closed once the command is started.
pub(super) fn command(
    program: &OsStr,
    arguments: &[OsString],
    limits: Limits,
) -> io::Result<(Command, impl Sized, Report)> {
    let (report, to_report) = io::pipe()?;
    fcntl_setfd(&to_report, FdFlags::empty())?;
    let mut command = Command::new(program_file()?);
    command
        .arg0(NAME)
        .arg(LIMITED)
        .arg(to_report.as_raw_fd().to_string())
        .arg(encode(limits))
        .arg(program)
        .args(arguments);
    Ok((command, to_report, Report(report)))
}

fn encode(limits: Limits) -> String {
    let each = limits.to_array();
    each.map(|limit| limit.map_or_else(String::new, |limit| limit.to_string()))
        .join(",")
}

fn decode(text: &str) -> Option<Limits> {
    let each = text.split(',').map(|limit| match limit {
        "" => Some(None),
        limit => limit.parse().ok().map(Some),
    });
    let each: Vec<Option<u64>> = each.collect::<Option<_>>()?;
    each.try_into().ok().map(Limits::from_array)
}

/// Becomes the command that the arguments name. Returns if that fails.
pub(super) fn become_command(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut next = || arguments.next()?.into_string().ok();
    let report: Option<i32> = next().and_then(|number| number.parse().ok());
    let limits = next().and_then(|text| decode(&text));
    let (Some(report), Some(limits), Some(program)) = (report, limits, arguments.next()) else {
        return refused(&not_ours());
    };
    let Ok(mut to_report) = File::options()
        .write(true)
        .open(format!("/dev/fd/{report}"))
    else {
        return refused(&not_ours());
    };
    // The one just opened is closed when the command begins, this one would not be.
    let _ = nix::unistd::close(report);
    let mut command = Command::new(program);
    command.args(arguments);
    let (step, error) = match limit(&limits) {
        Ok(()) => (1, command.exec()),
        Err(error) => (0, error),
    };
    let [a, b, c, d] = errno(&error).to_le_bytes();
    // The process that watches may be gone, and then nobody wants to know.
    let _ = to_report.write_all(&[step, a, b, c, d]);
    ExitCode::FAILURE
}

fn limit(limits: &Limits) -> io::Result<()> {
    for (resource, limit) in each(limits) {
        let both = Rlimit {
            current: Some(limit),
            maximum: Some(hard(resource, limit)),
        };
        setrlimit(resource, both)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_arrive_as_they_were_sent() {
        let some = Limits {
            memory: Some(u64::MAX),
            cpu: Some(0),
            ..Limits::default()
        };
        for limits in [some, Limits::default()] {
            assert_eq!(decode(&encode(limits)), Some(limits));
        }
        for text in ["", "1", ",,,,,,", "a,,,,,", "-1,,,,,"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
