//! Two copies of the web service on one SQLite file.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

struct Service {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Service {
    fn start(folder: &Path) -> Service {
        let mut child = Command::new(env!("CARGO_BIN_EXE_axum_service"))
            .arg("127.0.0.1:0")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        Service {
            child,
            lines,
            address,
        }
    }

    /// The tick of the next run here.
    fn next_run(&mut self) -> String {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            if let Some(rest) = line.strip_prefix("refreshed for ") {
                return rest.split(',').next().unwrap().to_owned();
            }
        }
    }

    /// Ends it as an operator would, and answers what it ran until then.
    fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(killed.success());
        let lines: Vec<String> = (&mut self.lines).map(Result::unwrap).collect();
        assert_eq!(lines.last().unwrap(), "stopped, 0 runs cut off");
        assert!(self.child.wait().unwrap().success());
        let runs = lines
            .iter()
            .filter_map(|line| line.strip_prefix("refreshed for "));
        runs.map(|rest| rest.split(',').next().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks in the oldest way there is, and answers what came.
fn ask(method: &str, address: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 OK"), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn two_copies_share_the_ticks() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Service::start(folder.path());
    let second = Service::start(folder.path());
    let triggered = ask("POST", &second.address, "/refresh");
    let triggered = triggered["tick"].as_str().unwrap().to_owned();
    let mut ran = vec![first.next_run(), first.next_run()];
    let known = ask("GET", &first.address, "/");
    assert!(known["here"].as_u64().unwrap() >= 2, "{known}");
    assert!(!known["fleet"].as_array().unwrap().is_empty(), "{known}");
    ran.extend(second.stop());
    ran.extend(first.stop());
    let once: HashSet<&String> = ran.iter().collect();
    assert_eq!(once.len(), ran.len(), "a tick ran twice: {ran:?}");
    assert!(ran.contains(&triggered), "{triggered} is not among {ran:?}");
}
