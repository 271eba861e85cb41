//! The file of a SQLite store: where it lies, whose it is, and who may look at it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::geteuid;

use crate::program::{Program, sexton};

const TASK: &str = "[[task]]\nname = \"t\"\nevery = \"200ms\"\nshell = 'echo hello'\n";
/// The user `nobody`, whom every machine has.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        eprintln!("not run: only root can run programs as another user");
    }
    is_root
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a store in it, which a program has made and left.
fn with_store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let mut program = Program::run_file(folder.path(), TASK);
    program.finished("t");
    assert_eq!(program.stop().status.code(), Some(0));
    folder
}

/// The program, which `nobody` may run where others may not look into the folder that it is built
/// in.
fn copied(folder: &Path) -> PathBuf {
    let copy = folder.join("sexton");
    fs::copy(env!("CARGO_BIN_EXE_sexton"), &copy).unwrap();
    copy
}

fn as_nobody(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    command.args(user).arg(program).current_dir(folder);
    command
}

/// What lies in a folder, with its bytes.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    let path = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path();
    entries
        .map(path)
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_new_store_is_for_its_owner_alone_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tasks.toml"), TASK).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_sexton"));
    command.args(["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(command.current_dir(folder.path()));
    program.finished("t");
    for name in ["sexton.db", "sexton.db-wal", "sexton.db-shm"] {
        assert_eq!(mode(folder.path().join(name)), 0o600, "{name}");
    }
    program.stop();
}

#[test]
fn a_store_that_others_may_write_or_that_is_a_link_is_refused() {
    type Prepare<'p> = &'p dyn Fn(&Path);
    let open = |store: &Path| set_mode(store, 0o666);
    let linked = |store: &Path| {
        let elsewhere = store.with_file_name("elsewhere.db");
        fs::rename(store, &elsewhere).unwrap();
        symlink(elsewhere, store).unwrap();
    };
    let log_linked = |store: &Path| symlink("/dev/null", store.with_extension("db-wal")).unwrap();
    let cases: [(Prepare<'_>, &str); 3] = [
        (&open, "chmod o-w"),
        (&linked, "is a symbolic link"),
        (&log_linked, "sexton.db-wal\" is a symbolic link"),
    ];
    for (prepare, told) in cases {
        let folder = with_store();
        prepare(&folder.path().join("sexton.db"));
        for words in [vec!["run", "tasks.toml"], vec!["pause", "t"]] {
            let output = sexton(folder.path(), &words).output().unwrap();
            assert_eq!(output.status.code(), Some(4), "{words:?}: {output:?}");
            assert!(said(&output).contains(told), "{output:?}");
        }
    }
}

#[test]
fn a_store_of_another_user_is_refused_and_one_of_root_is_not() {
    if !is_root() {
        return;
    }
    let folder = with_store();
    let store = folder.path().join("sexton.db");
    let program = copied(folder.path());
    chown(&store, Some(NOBODY - 1), None).unwrap();
    set_mode(&store, 0o664);
    let own = sexton(folder.path(), ["run", "tasks.toml"]).output();
    let others = as_nobody(&program, folder.path())
        .args(["run", "tasks.toml"])
        .output();
    for output in [own.unwrap(), others.unwrap()] {
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let told = "belongs to the user with the number 65533";
        assert!(said(&output).contains(told), "{output:?}");
    }
    chown(&store, Some(NOBODY), Some(NOBODY)).unwrap();
    chown(folder.path(), Some(NOBODY), None).unwrap();
    let mut command = as_nobody(&program, folder.path());
    command.args(["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(&mut command);
    program.finished("t");
    program.stop();
}

/// Given: root's crontab in /etc/cron.d, and no store named. Then: the store is made in
/// /var/lib/sexton, for root alone, and root's `tasks` finds it there.
#[test]
fn root_s_crontabs_in_etc_keep_their_store_in_var_lib() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /var/lib && cp /etc/passwd /etc/group . && \
         mount -t tmpfs none /etc && mv passwd group /etc && mkdir /etc/cron.d && \
         echo '* * * * * root true' > /etc/cron.d/t && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_sexton"));
    command.args(["run", "--log-format", "json", "--crontab", "/etc/cron.d/t"]);
    let mut program = Program::start(command.current_dir(folder.path()));
    let began = program.wait("began", |_| true);
    let text = began.to_string();
    assert!(text.contains("sqlite:/var/lib/sexton/sexton.db"), "{text}");
    let root = PathBuf::from(format!("/proc/{}/root", program.id()));
    assert_eq!(mode(root.join("var/lib/sexton")), 0o700);
    assert_eq!(mode(root.join("var/lib/sexton/sexton.db")), 0o600);
    assert_eq!(content(&root.join("etc/cron.d")).len(), 1);
    let mut tasks = Command::new("nsenter");
    tasks.args(["--mount", "--target", &program.id().to_string()]);
    tasks.args([env!("CARGO_BIN_EXE_sexton"), "tasks"]);
    let output = tasks.current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn whoever_looks_changes_nothing_whichever_user() {
    let folder = with_store();
    let stores = folder.path();
    set_mode(stores.join("sexton.db"), 0o644);
    let program = copied(stores);
    let before = content(stores);
    for words in [["history", "--json"], ["tasks", "--json"]] {
        let mut looks = vec![sexton(stores, words)];
        if is_root() {
            let mut other = as_nobody(&program, stores);
            other.args(words);
            looks.push(other);
        }
        for mut look in looks {
            let output = look.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{look:?}: {output:?}");
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(shown.contains("\"task\":\"t\""), "{shown}");
            assert!(content(stores) == before, "{look:?} changed something");
        }
    }
    let output = sexton(stores, ["instances"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(content(stores) == before, "`instances` changed something");
}

#[test]
fn another_user_looks_while_tasks_run_if_it_may_read_the_log() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stores = folder.path();
    set_mode(stores, 0o755);
    let mut running = Program::run_file(stores, TASK);
    running.finished("t");
    set_mode(stores.join("sexton.db"), 0o644);
    let program = copied(stores);
    let look = || as_nobody(&program, stores).arg("history").output().unwrap();
    let output = look();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(
        said(&output).contains("the -wal and the -shm"),
        "{output:?}"
    );
    for log in ["sexton.db-wal", "sexton.db-shm"] {
        set_mode(stores.join(log), 0o644);
    }
    let output = look();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    running.stop();
}

#[test]
fn an_empty_file_is_told_to_be_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("sexton.db");
    fs::write(&store, "").unwrap();
    for words in [vec!["history"], vec!["tasks"], vec!["pause", "t"]] {
        let output = sexton(folder.path(), &words).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{words:?}: {output:?}");
        assert!(said(&output).contains("is an empty file"), "{output:?}");
        assert_eq!(content(folder.path()).len(), 1);
        assert_eq!(fs::metadata(&store).unwrap().len(), 0);
    }
}
