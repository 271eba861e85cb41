//! Crontabs in the shape of those that systems and packages bring, each with one line that cannot be
//! used: the others run.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::program::{Program, sexton};

/// A crontab of `shapes`: how many lines of it run, which one does not, and why.
struct Shape {
    name: &'static str,
    tasks: usize,
    bad_line: usize,
    why: &'static str,
}

const SHAPES: [Shape; 9] = [
    Shape {
        name: "certbot",
        tasks: 1,
        bad_line: 8,
        why: "a crontab has five fields of time",
    },
    Shape {
        name: "debian",
        tasks: 4,
        bad_line: 15,
        why: "cron \"0 0 31 2 *\" is never due",
    },
    Shape {
        name: "fedora",
        tasks: 2,
        bad_line: 8,
        why: "a crontab has five fields of time",
    },
    Shape {
        name: "freebsd",
        tasks: 6,
        bad_line: 21,
        why: "found \"@every_second\"",
    },
    Shape {
        name: "mdadm",
        tasks: 1,
        bad_line: 6,
        why: "found \"FRY\"",
    },
    Shape {
        name: "munin",
        tasks: 2,
        bad_line: 10,
        why: "the line names no user and no command",
    },
    Shape {
        name: "php",
        tasks: 1,
        bad_line: 6,
        why: "a range N-M in which N is not above M",
    },
    Shape {
        name: "suse",
        tasks: 2,
        bad_line: 8,
        why: "found \"USER\"",
    },
    Shape {
        name: "sysstat",
        tasks: 2,
        bad_line: 9,
        why: "found \"90\"",
    },
];

/// The folder `etc/cron.d` in `folder` with all of them. Their users are the one who runs the test,
/// who need not be root.
fn cron_d(folder: &Path) -> PathBuf {
    let own = User::from_uid(Uid::effective()).unwrap().unwrap().name;
    let cron_d = folder.join("etc/cron.d");
    fs::create_dir_all(&cron_d).unwrap();
    let shapes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crontabs/shapes");
    for shape in &SHAPES {
        let mut bytes = fs::read(shapes.join(shape.name)).unwrap();
        for user in ["root", "munin", "operator"] {
            for (before, behind) in [(b'\t', b' '), (b'\t', b'\t'), (b' ', b' '), (b' ', b'\n')] {
                let name = [&[before], user.as_bytes(), &[behind]].concat();
                let new = [&[before], own.as_bytes(), &[behind]].concat();
                bytes = replaced(&bytes, &name, &new);
            }
        }
        fs::write(cron_d.join(shape.name), bytes).unwrap();
    }
    cron_d
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(old.len()).position(|part| part == old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[test]
fn the_line_that_cannot_be_used_is_told_and_the_others_run() {
    let own = User::from_uid(Uid::effective()).unwrap().unwrap().name;
    let folder = tempfile::tempdir().unwrap();
    let cron_d = cron_d(folder.path());
    for Shape {
        name,
        tasks,
        bad_line,
        why,
    } in &SHAPES
    {
        let output = sexton(folder.path(), ["check", "--crontab"])
            .arg(cron_d.join(name))
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {stderr}");
        let plural = if *tasks == 1 { "" } else { "s" };
        let counted = format!("/{name}: {tasks} task{plural}, no errors");
        assert!(stdout.contains(&counted), "{stdout}{stderr}");
        let told: Vec<&str> = stderr
            .split("\n\n")
            .flat_map(|part| part.split("warning: "))
            .filter(|warning| warning.contains("this line is left out"))
            .collect();
        let [told] = told[..] else {
            panic!("{name}: {stderr}");
        };
        let why = why.replace("USER", &own);
        assert!(
            told.contains(&why) && told.contains(&format!("/{name}:{bad_line}:")),
            "{told}"
        );
    }
}

#[test]
fn a_folder_of_them_runs_whatever_single_lines_say() {
    let folder = tempfile::tempdir().unwrap();
    cron_d(folder.path());
    let arguments = ["--store", "memory:", "--crontab", "etc/cron.d"];
    let mut program = Program::run(folder.path(), &arguments);
    let began = program.wait("began", |_| true);
    let expected: usize = SHAPES.iter().map(|shape| shape.tasks).sum();
    assert_eq!(began["tasks"], expected);
    let warnings = began["warnings"].to_string();
    let left_out = warnings.matches("this line is left out").count();
    assert_eq!(left_out, SHAPES.len(), "{warnings}");
    assert!(program.stop().status.success());
}
