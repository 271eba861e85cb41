//! From an order to a command that runs.

#[cfg(not(target_vendor = "apple"))]
use std::ffi::CString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

#[cfg(not(target_vendor = "apple"))]
use nix::unistd::User;
use nix::unistd::{Gid, Uid};
use rustix::fs::Mode;
use rustix::process::Pid;

#[cfg(target_os = "linux")]
#[cfg(target_os = "linux")]
use super::arguments::NAME_OF_THREAD as NAME;
use super::failure::Failure;
use super::feed::Feed;
use super::limits;
use super::wire::{Order, Step};
use crate::tasks::{Limits, MissingCwd, RunAs};

/// A command that runs, and our ends of its pipes.
pub(super) struct Started {
    pub(super) pid: Pid,
    /// What it says, on standard output and standard error in the order in which it says it.
    pub(super) output: PipeReader,
    pub(super) stdin: Option<Feed>,
}

/// Takes a session without a terminal, which a command could push keys into, and becomes the parent
/// of what loses its own, so that none of it is lost sight of.
pub(super) fn session() -> io::Result<()> {
    rustix::process::setsid()?;
    #[cfg(target_os = "linux")]
    {
        rustix::thread::set_name(NAME)?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    }
    wake_at_end_of_program();
    Ok(())
}

/// Has the kernel continue this process when the program ends, so that it sees the end of its
/// socket although a command has stopped it. A change of user clears that.
pub(super) fn wake_at_end_of_program() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        // The program does the same itself when it can, so that nothing but its death needs this.
        let _ = set_parent_process_death_signal(Some(Signal::CONT));
    }
}

/// Makes this process what the command will be: its user, limits and folder.
pub(super) fn prepare(order: &Order) -> Result<(), Failure> {
    if let Some(umask) = order.umask {
        rustix::process::umask(Mode::from_raw_mode(umask));
    }
    if let Some(nice) = order.nice {
        rustix::process::setpriority_process(None, nice.into())
            .map_err(|error| Failure::at(Step::Nice)(error.into()))?;
    }
    limits::allow(&order.limits).map_err(Failure::at(Step::Limits))?;
    if let Some(user) = &order.user {
        become_user(user).map_err(Failure::at(Step::User))?;
    }
    if let Some(cwd) = &order.cwd {
        let folder = match order.missing_cwd {
            MissingCwd::BeginInRoot if !cwd.is_dir() => "/".as_ref(),
            _ => cwd.as_path(),
        };
        std::env::set_current_dir(folder).map_err(Failure::at(Step::Folder))?;
    }
    Ok(())
}

/// Takes the user's groups, supplementary ones included, and the user. On Linux this process keeps
/// the right to be root again (the saved user id), by which it can end what a command has started
/// under yet another user; a command does not have it, since starting a program resets it.
fn become_user(user: &RunAs) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    take_groups(user, gid)?;
    nix::unistd::setgid(gid)?;
    #[cfg(target_os = "linux")]
    nix::unistd::setresuid(uid, uid, nix::unistd::geteuid())?;
    #[cfg(not(target_os = "linux"))]
    nix::unistd::setuid(uid)?;
    wake_at_end_of_program();
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn take_groups(user: &RunAs, gid: Gid) -> io::Result<()> {
    // There may be a user of that number without a name that the machine still knows.
    if User::from_name(&user.name)?.is_some() {
        nix::unistd::initgroups(&CString::new(user.name.as_str())?, gid)?;
    } else {
        nix::unistd::setgroups(&[gid])?;
    }
    Ok(())
}

/// Groups are a matter of a directory service here, and root's own must not stay.
#[cfg(target_vendor = "apple")]
fn take_groups(_: &RunAs, _: Gid) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Starts the command, as the head of a process group.
pub(super) fn start(order: &Order) -> Result<Started, Failure> {
    let at_pipe = Failure::at(Step::Pipes);
    let (output, stdout) = io::pipe().map_err(&at_pipe)?;
    let stderr = stdout.try_clone().map_err(&at_pipe)?;
    let (from_stdin, stdin) = match &order.stdin {
        Some(bytes) => {
            let (reader, writer): (PipeReader, PipeWriter) = io::pipe().map_err(&at_pipe)?;
            let feed = Feed::new(writer, bytes.clone()).map_err(&at_pipe)?;
            (Stdio::from(reader), Some(feed))
        }
        None => (Stdio::null(), None),
    };
    let (mut command, limited) = if order.limits == Limits::default() {
        let mut command = Command::new(&order.program);
        command.args(&order.arguments);
        (command, None)
    } else {
        let limited = limits::command(&order.program, &order.arguments, order.limits);
        let (command, to_report, report) = limited.map_err(Failure::at(Step::Limits))?;
        (command, Some((to_report, report)))
    };
    command
        .env_clear()
        .envs(order.variables.iter().map(|(name, value)| (name, value)))
        .stdin(from_stdin)
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    let child = command.spawn().map_err(Failure::at(Step::Program))?;
    let pid = Pid::from_child(&child);
    if let Some((to_report, report)) = limited {
        drop(to_report);
        report.read()?;
    }
    Ok(Started { pid, output, stdin })
}
