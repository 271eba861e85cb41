//! The real program, run by a test. Whatever it is awaited to say is awaited with a limit, and it
//! does not outlive its test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, test_kill_process, waitid,
};
use serde_json::Value;
use sexton_core::clock::{Clock, SystemClock};

/// How long a test waits for what must come. Far more than it takes: a test that waits this long
/// has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// A program that runs, and what it has said.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) lines: Vec<String>,
    pub(crate) stderr: String,
}

/// The program with these arguments, in a folder, with nothing of the test's own environment but
/// `PATH`.
pub(crate) fn sexton(
    folder: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sexton"));
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
    command
}

impl Program {
    /// `sexton run --log-format json` with these arguments.
    pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Program {
        let mut command = sexton(folder, ["run", "--log-format", "json"]);
        Program::start(command.args(arguments))
    }

    /// Runs `tasks.toml` with this text, which is written into the folder.
    pub(crate) fn run_file(folder: &Path, text: &str) -> Program {
        std::fs::write(folder.join("tasks.toml"), text).unwrap();
        Program::run(folder, &["tasks.toml"])
    }

    pub(crate) fn start(command: &mut Command) -> Program {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let mut pipe = child.stderr.take().unwrap();
        let stderr = spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Program {
            child,
            lines,
            said: Vec::new(),
            stderr: Some(stderr),
        }
    }

    /// The next line for which `found` has an answer.
    pub(crate) fn wait_line<T>(&mut self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let until = SystemClock.monotonic() + LIMIT;
        loop {
            let left = until.saturating_sub(SystemClock.monotonic());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let answer = found(&line);
                    self.said.push(line);
                    if let Some(answer) = answer {
                        return answer;
                    }
                }
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout => "did not say so in time".to_owned(),
                        RecvTimeoutError::Disconnected => format!("ended: {}", self.complaints()),
                    };
                    panic!("{what}: the program {why}\n{}", self.said.join("\n"));
                }
            }
        }
    }

    /// A line that it has written, if there is one that was not looked at.
    pub(crate) fn said_since(&mut self) -> Option<Value> {
        let line = self.lines.try_recv().ok()?;
        let event = parsed(&line);
        self.said.push(line);
        Some(event)
    }

    /// The next event of this name that fits. Sexton's own tasks, which are due at times of their
    /// own, are passed over.
    pub(crate) fn wait(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_line(event, |line| {
            let found = parsed(line);
            let task = found["task"].as_str().unwrap_or_default();
            let is_meant = found["event"] == event && !task.starts_with("sexton:");
            (is_meant && fits(&found)).then_some(found)
        })
    }

    /// The next end of a run of this task.
    pub(crate) fn finished(&mut self, task: &str) -> Value {
        self.wait("finished", |event| event["task"] == task)
    }

    /// The instance's id, once the program has begun.
    pub(crate) fn began(&mut self) -> String {
        let began = self.wait("began", |_| true);
        began["instance"].as_str().unwrap().to_owned()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Stops it, and returns when it stands still.
    pub(crate) fn stand_still(&self) {
        self.signal(Signal::STOP);
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).unwrap();
    }

    /// Waits for the program to end, which was asked to.
    pub(crate) fn ended(mut self) -> Ended {
        let until = SystemClock.monotonic() + LIMIT;
        loop {
            let left = until.saturating_sub(SystemClock.monotonic());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the program did not end\n{}", self.said.join("\n"));
                }
            }
        }
        Ended {
            status: self.child.wait().unwrap(),
            lines: std::mem::take(&mut self.said),
            stderr: self.complaints(),
        }
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }

    fn complaints(&mut self) -> String {
        let reader = self.stderr.take();
        reader.map_or_else(String::new, |reader| reader.join().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Of a program that has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The events it wrote, each line of which was JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.lines.iter().map(|line| parsed(line)).collect()
    }
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

fn lines_of(pipe: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    spawn(move || {
        for line in BufReader::new(pipe).lines() {
            // The test may have seen enough; the program still has to be read.
            let _ = sender.send(line.unwrap());
        }
    });
    receiver
}

/// Asks again until there is an answer, for what tells nobody when it happens.
pub(crate) fn ask_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = SystemClock.monotonic() + LIMIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(SystemClock.monotonic() < until, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a process has ended, whether or not anybody has asked how.
pub(crate) fn wait_until_gone(pid: &str) {
    let raw = pid.trim().parse().unwrap();
    ask_until(&format!("process {pid} is gone"), || {
        let is_there = test_kill_process(Pid::from_raw(raw).unwrap()).is_ok();
        let stat = std::fs::read_to_string(format!("/proc/{raw}/stat")).unwrap_or_default();
        let is_dead = stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'));
        (!is_there || is_dead).then_some(())
    });
}
