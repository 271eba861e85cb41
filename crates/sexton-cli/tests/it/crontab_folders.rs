//! Several crontabs, folders of them, and the crontabs that users edit.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::unistd::{Uid, User};
use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Program, sexton};

/// A line that is never due in a test.
const NEVER: &str = "0 0 1 1 *";

fn own_name() -> String {
    User::from_uid(Uid::effective()).unwrap().unwrap().name
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What `check` says: exit code, standard output, standard error.
fn check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = sexton(folder, [&["check"], arguments].concat())
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn several_crontabs_and_a_folder_are_run_together_and_read_again_by_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let own = own_name();
    write(folder, "etc/crontab", &format!("{NEVER} {own} first\n"));
    write(folder, "etc/cron.d/b", &format!("{NEVER} {own} third\n"));
    write(folder, "etc/cron.d/a", &format!("{NEVER} {own} second\n"));
    write(folder, "etc/cron.d/.placeholder", "");
    write(folder, "etc/cron.d/c.sh", "not read");
    write(folder, "mine", &format!("{NEVER} fourth\n"));
    let arguments = [
        "--store",
        "memory:",
        "--crontab",
        "etc/crontab",
        "--crontab",
        "etc/cron.d",
        "--crontab",
        "mine",
    ];
    let mut program = Program::run(folder, &arguments);
    let began = program.wait("began", |_| true);
    assert_eq!(began["tasks"], 4, "{began}");
    let warnings = began["warnings"].to_string();
    assert!(
        warnings.contains("etc/cron.d/c.sh: cron reads only files"),
        "{warnings}"
    );
    write(
        folder,
        "etc/cron.d/d",
        &format!("{NEVER} {own} fifth\n61 * * * * {own} bad\n"),
    );
    fs::remove_file(folder.join("etc/cron.d/a")).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    let begins = |list: &Value, text: &str| {
        let list = list.as_array().unwrap();
        list.len() == 1 && list[0].as_str().unwrap().starts_with(text)
    };
    assert!(begins(&reloaded["added"], "d: fifth ["), "{reloaded}");
    assert!(begins(&reloaded["removed"], "a: second ["), "{reloaded}");
    let warnings = reloaded["warnings"].to_string();
    assert!(warnings.contains("etc/cron.d/d:2:1"), "{warnings}");
    assert!(program.stop().status.success());
}

#[test]
fn a_crontab_of_comments_or_of_reboot_alone_starts_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for text in [&b"# caf\xe9\n\x0c\n"[..], b"@reboot ring\n", b""] {
        fs::write(folder.path().join("bells"), text).unwrap();
        let mut program =
            Program::run(folder.path(), &["--store", "memory:", "--crontab", "bells"]);
        let began = program.wait("began", |_| true);
        assert_eq!(began["tasks"], 0);
        let warnings = began["warnings"].to_string();
        assert!(
            warnings.contains("there is no task that can be run"),
            "{warnings}"
        );
        assert!(program.stop().status.success());
    }
}

#[test]
fn check_is_as_strict_as_it_is_asked_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "good", "@daily ring\n");
    write(folder, "odd", "@daily ring\n0 0 31 2 * never\n");
    let (code, stdout, stderr) = check(folder, &["--crontab", "odd", "--crontab", "good"]);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "odd, good: 2 tasks, no errors, 1 warning\n")
    );
    assert!(stderr.contains("--> odd:2:1"), "{stderr}");
    assert_eq!(check(folder, &["--strict", "--crontab", "odd"]).0, Some(2));
    assert_eq!(check(folder, &["--strict", "--crontab", "good"]).0, Some(0));
}

#[test]
fn two_crontabs_cannot_give_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["a", "b"] {
        write(folder, name, "# sexton: name = \"bell\"\n@daily ring\n");
    }
    let (code, stdout, stderr) = check(folder, &["--crontab", "a", "--crontab", "b"]);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "a, b: 1 task, no errors, 1 warning\n")
    );
    let expected = "this line is left out: the line at a:2 has the name \"bell\" already";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn the_crontabs_of_the_spool_are_those_of_their_users() {
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root can do this");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("var/spool/cron/crontabs");
    let give = |name: &str, owner: &str| {
        let path = spool.join(name);
        fs::create_dir_all(&spool).unwrap();
        fs::write(&path, format!("{NEVER} ring\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = User::from_name(owner).unwrap().unwrap();
        chown(&path, Some(owner.uid.as_raw()), None).unwrap();
    };
    give("nobody", "nobody");
    give("root", "root");
    give("daemon", "nobody");
    give("no-such-user", "root");
    let arguments = ["--crontab", "var/spool/cron/crontabs"];
    let (code, stdout, stderr) = check(folder.path(), &arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.ends_with(": 2 tasks, no errors, 2 warnings\n"),
        "{stdout}{stderr}"
    );
    let daemon =
        "a crontab is skipped: var/spool/cron/crontabs/daemon is refused: it belongs to nobody";
    assert!(stderr.contains(daemon), "{stderr}");
    let unknown = "a crontab is skipped: var/spool/cron/crontabs/no-such-user: user no-such-user: this machine has no such user";
    assert!(stderr.contains(unknown), "{stderr}");
    // The same task as when the file is named with its user.
    fs::write(spool.join("nobody"), "* * * * * id -un\n").unwrap();
    let run = |arguments: &[&str]| {
        let arguments = [&["--store", "memory:"], arguments].concat();
        Program::run(folder.path(), &arguments)
    };
    let file = "var/spool/cron/crontabs/nobody";
    let all = [
        run(&arguments),
        run(&["--crontab", file]),
        run(&["--user", "nobody", "--crontab", file]),
    ];
    let names = all.map(|mut program| {
        let is_it = |end: &Value| end["task"].as_str().unwrap().starts_with("nobody: ");
        let end = program.wait("finished", is_it);
        assert_eq!(end["output"], "nobody\n");
        program.stop();
        end["task"].as_str().unwrap().to_owned()
    });
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[test]
fn a_machine_zone_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "bells", "@daily ring\n");
    let check = |zone: &str| {
        let mut command = sexton(folder.path(), ["check", "--crontab", "bells"]);
        let output = command.env("TZ", zone).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let told = check("Mars/Olympus");
    assert!(
        told.starts_with("warning: TZ=\"Mars/Olympus\" cannot be read as a time zone: "),
        "{told}"
    );
    assert!(!check("Europe/Paris").contains("warning"));
    write(
        folder.path(),
        "bells",
        "CRON_TZ=Europe/Paris\n@daily ring\n",
    );
    assert!(!check("Mars/Olympus").contains("warning"));
}

#[test]
fn what_a_run_gets_is_the_bytes_of_the_crontab() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"NAME=caf\xe9\n\
        * * * * * printf '\xff' | od -An -tx1; printf \"$NAME\" | od -An -tx1; od -An -tx1%\xe9\n";
    fs::write(folder.path().join("bells"), text).unwrap();
    let mut program = Program::run(folder.path(), &["--store", "memory:", "--crontab", "bells"]);
    let end = program.wait("finished", |_| true);
    assert_eq!(end["output"], " ff\n 63 61 66 e9\n e9 0a\n", "{end}");
    program.stop();
}
