//! Whose crontab is run, and as whom. Most of this can only root try.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::{Gid, Group, Uid, User};
use tempfile::TempDir;

use crate::program::{Program, sexton};

/// A user with a supplementary group, made for one test.
struct Visitor {
    name: String,
    group: String,
}

impl Visitor {
    fn arrives() -> Visitor {
        let id = std::process::id();
        let visitor = Visitor {
            name: format!("sexton-v{id}"),
            group: format!("sexton-g{id}"),
        };
        done("groupadd", &[&visitor.group]);
        done(
            "useradd",
            &[
                "--no-create-home",
                "--groups",
                &visitor.group,
                &visitor.name,
            ],
        );
        visitor
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        // A test that has failed is told of that, and of nothing else.
        let _ = Command::new("userdel").arg(&self.name).output();
        let _ = Command::new("groupdel").arg(&self.group).output();
    }
}

fn done(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
}

fn is_root() -> bool {
    let is_root = Uid::effective().is_root();
    if !is_root {
        eprintln!("skipped: only root can do this");
    }
    is_root
}

fn crontab(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("crontab");
    std::fs::write(&path, text).unwrap();
    path
}

/// What `check` says of the crontab of a user, and its exit code.
fn check(path: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output: Output = sexton(Path::new("/"), ["check", "--crontab"])
        .arg(path)
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn root_runs_no_crontab_that_others_can_write() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = crontab(&folder, "@daily true\n");
    for mode in [0o644, 0o600] {
        set_mode(&path, mode);
        assert_eq!(check(&path, &[]), (Some(0), String::new()));
    }
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&path, mode);
        let (code, stderr) = check(&path, &[]);
        assert_eq!(code, Some(2));
        let expected = format!("its mode is {mode:04o}, so that others can write commands into it");
        assert!(stderr.contains(&expected), "{stderr}");
    }
    let run = sexton(folder.path(), ["run", "--store", "memory:", "--crontab"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2), "{run:?}");
}

#[test]
fn root_runs_a_crontab_of_somebody_else_only_as_its_owner() {
    if !is_root() {
        return;
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = crontab(&folder, "@daily true\n");
    chown(&path, Some(nobody.uid.as_raw()), None).unwrap();
    let (code, stderr) = check(&path, &[]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("it belongs to nobody, and root runs only what belongs to root"),
        "{stderr}"
    );
    assert_eq!(check(&path, &["--user", "nobody"]).0, Some(0));
    let (code, stderr) = check(&path, &["--user", "daemon"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("root or daemon"), "{stderr}");
    let (code, stderr) = check(&path, &["--user", "no-such-user-here"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("no-such-user-here: this machine has no such user"),
        "{stderr}"
    );
}

#[test]
fn a_user_runs_the_own_crontab_whatever_its_mode() {
    if !is_root() {
        return;
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let path = crontab(&folder, "@daily true\n");
    set_mode(&path, 0o666);
    let output = Command::new("setpriv")
        .args(["--reuid", "nobody", "--clear-groups", "--regid"])
        .arg(nobody.gid.to_string())
        .arg(env!("CARGO_BIN_EXE_sexton"))
        .args(["check", "--crontab"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Cron knows no less than a minute: this waits for the next one, for all that it shows.
#[test]
fn a_crontab_run_as_its_owner_has_the_owners_groups_and_home() {
    if !is_root() {
        return;
    }
    let visitor = Visitor::arrives();
    let user = User::from_name(&visitor.name).unwrap().unwrap();
    let group = Group::from_name(&visitor.group).unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = crontab(
        &folder,
        "* * * * * id -u; id -g; id -G; echo $HOME $LOGNAME $USER; umask > /dev/stderr\n",
    );
    chown(&path, Some(user.uid.as_raw()), None).unwrap();
    let mut command = sexton(
        folder.path(),
        [
            "run",
            "--log-format",
            "json",
            "--store",
            "memory:",
            "--user",
        ],
    );
    let command = command.arg(&visitor.name).arg("--crontab").arg(&path);
    // An environment of the program that says nothing, or something else, of the user.
    let mut program = Program::start(command.env("HOME", "/elsewhere"));
    let end = program.wait("finished", |_| true);
    let (uid, gid, supplementary): (Uid, Gid, Gid) = (user.uid, user.gid, group.gid);
    assert_eq!(
        end["output"].as_str().unwrap(),
        format!(
            "{uid}\n{gid}\n{gid} {supplementary}\n{} {name} {name}\n0022\n",
            user.dir.display(),
            name = visitor.name
        )
    );
    assert!(program.stop().status.success());
}

#[test]
fn a_crontab_of_a_program_without_an_environment_knows_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = crontab(&folder, "* * * * * echo $HOME $LOGNAME $USER\n");
    let arguments = [
        "run",
        "--log-format",
        "json",
        "--store",
        "memory:",
        "--crontab",
    ];
    let mut program = Program::start(sexton(folder.path(), arguments).arg(&path));
    let end = program.wait("finished", |_| true);
    let user = User::from_uid(Uid::effective()).unwrap().unwrap();
    assert_eq!(
        end["output"].as_str().unwrap(),
        format!("{} {name} {name}\n", user.dir.display(), name = user.name)
    );
}
