//! What a supervisor hears that started the program, over a real socket.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::process::Signal;

use crate::program::{LIMIT, Program, sexton};

const TASK: &str = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\n\
    shell = 'echo \"${NOTIFY_SOCKET-none} ${WATCHDOG_USEC-none}\"'\n";

struct Heard(UnixDatagram);

impl Heard {
    fn at(path: &Path) -> Heard {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Heard(socket)
    }

    /// The next message that is none of the watchdog's.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 1024];
        let count = self.0.recv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes[..count].to_vec()).unwrap();
        text.trim_end().to_owned()
    }
}

#[test]
fn a_supervisor_hears_of_the_start_of_a_reload_of_life_and_of_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("tasks.toml"), TASK).unwrap();
    let socket = folder.join("notify");
    let heard = Heard::at(&socket);
    let mut command = sexton(folder, ["run", "tasks.toml", "--log-format", "json"]);
    command.env("NOTIFY_SOCKET", &socket);
    command.env("WATCHDOG_USEC", "400000");
    let mut program = Program::start(&mut command);
    assert_eq!(heard.any(), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard.any(), "WATCHDOG=1");
    }
    program.began();
    program.signal(Signal::HUP);
    let reloading = heard.next();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(time.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    assert_eq!(heard.next(), "READY=1");
    // It is for the program alone, not for its tasks.
    let end = program.finished("t");
    assert_eq!(end["output"], "none none\n", "{end}");
    program.signal(Signal::TERM);
    assert_eq!(heard.next(), "STOPPING=1");
    assert_eq!(program.ended().status.code(), Some(0));
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deploying/sexton.service");
    let text = std::fs::read_to_string(unit).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_sexton");
    let text = text.replace("/usr/local/bin/sexton", program);
    let copy = folder.path().join("sexton.service");
    std::fs::write(&copy, text).unwrap();
    let verify = std::process::Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .output();
    match verify {
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr);
            let of_unit: Vec<&str> = said
                .lines()
                .filter(|line| line.contains("sexton.service"))
                .collect();
            assert!(of_unit.is_empty(), "{}", of_unit.join("\n"));
        }
        Err(error) => eprintln!("not run: systemd-analyze: {error}"),
    }
}
