//! Where a machine, or a run beside it, lacks descriptors.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Program, sexton};

const MANY: u64 = 40;

/// The program under a limit of descriptors, soft and hard.
fn limited(folder: &TempDir, text: &str, soft: u64, hard: u64) -> Program {
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let plain = sexton(folder.path(), ["run", "--log-format", "json", "tasks.toml"]);
    let mut command = Command::new("/bin/sh");
    let script = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(folder.path());
    command.env_clear().env("SEXTON_LOG", "warn");
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    Program::start(&mut command)
}

/// The ends of all runs of the first tick that this program runs.
fn ends_of_a_tick(program: &mut Program) -> Vec<Value> {
    let mut of_ticks: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    loop {
        let end = program.finished("t");
        let tick = end["tick"].as_str().unwrap().to_owned();
        let ends = of_ticks.entry(tick.clone()).or_default();
        ends.push(end);
        if u64::try_from(ends.len()).unwrap() == MANY {
            return of_ticks.remove(&tick).unwrap();
        }
    }
}

#[test]
fn a_command_without_a_descriptor_waits_for_one_and_consumes_no_tick() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"3s\"\nconcurrency = {MANY}\nshell = \"sleep 0.5\"\n"
    );
    // A quarter of them is for runs.
    let mut program = limited(&folder, &text, 80, 80);
    for end in ends_of_a_tick(&mut program) {
        assert_eq!(end["outcome"], "succeeded", "{end}");
    }
    let ended = program.stop();
    assert!(
        ended.stderr.contains("could not begin"),
        "none had to wait: {}",
        ended.stderr
    );
}

#[test]
fn the_program_has_all_descriptors_that_it_may_and_commands_what_it_was_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\n\
        shell = 'ulimit -S -n; ulimit -H -n'\n";
    let mut program = limited(&folder, text, 200, 300);
    let end = program.finished("t");
    assert_eq!(end["output"], "200\n300\n", "{end}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let own = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let numbers: Vec<&str> = own.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["300", "300"]);
    program.stop();
}

/// Each process that waits for its next command has a descriptor, and gives it up for a request.
#[test]
fn a_request_gets_a_descriptor_beside_commands_that_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let text = format!(
        "[store]\nurl = \"memory:\"\n\
        [[task]]\nname = \"t\"\nevery = \"2s\"\nconcurrency = {MANY}\nshell = \"sleep 0.5\"\n\
        [[task]]\nname = \"ask\"\nevery = \"500ms\"\nhttp = {{ url = \"http://127.0.0.1:{port}/\" }}\n"
    );
    let mut program = limited(&folder, &text, 80, 80);
    ends_of_a_tick(&mut program);
    // Right behind them nothing of theirs has been idle for long.
    let end = program.finished("ask");
    assert_eq!(end["outcome"], "succeeded", "{end}");
    program.stop();
}
