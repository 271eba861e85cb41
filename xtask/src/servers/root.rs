//! A folder with a server of another Debian: its root, and wrappers that start its programs.
//!
//! A wrapper needs no privileges and leaves no mount: in a user and mount namespace of its own it
//! puts the root's `/usr` in the place of the machine's, and then becomes the program, with the
//! same process id, as the same user, in the same folder, and with all other files of the machine.
//! What installs the root runs in namespaces that end with it, and so do its mounts and processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::known::Newer;
use crate::failed::Failed;
use crate::step::{run, succeeds};

/// Where the wrappers are in the folder.
pub(super) const WRAPPERS: &str = "bin";
/// What of the root takes the place of the machine's.
const PARTS: [&str; 3] = ["etc/ld.so.cache", "etc/alternatives", "usr"];
/// Said last, when all is there: the packages' versions.
const MADE: &str = "made";
/// What packages bring that no server reads.
const LEFT_OUT: &str = "path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\n";
/// What is of no use any more.
const REMOVED: [&str; 5] = [
    "var/lib/apt/lists",
    "var/cache",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
];

/// Whether the folder is made.
pub(super) fn is_made(folder: &Path) -> bool {
    folder.join(MADE).is_file()
}

/// What was made in the folder.
pub(super) fn made(folder: &Path) -> Result<String, Failed> {
    let path = folder.join(MADE);
    fs::read_to_string(&path).map_err(at("read", &path))
}

/// Makes the folder, or what is missing of it.
pub(super) fn make(newer: &Newer, folder: &Path, mirror: &str) -> Result<(), Failed> {
    fs::create_dir_all(folder).map_err(at("make", folder))?;
    let folder = &folder.canonicalize().map_err(at("find", folder))?;
    let root = folder.join("root");
    if !root.is_dir() {
        let part = folder.join("root.part");
        // What an earlier attempt left: its mounts have gone with it.
        if part.exists() {
            fs::remove_dir_all(&part).map_err(at("remove", &part))?;
        }
        install(newer, &part, mirror)?;
        fs::rename(&part, &root).map_err(at("rename", &part))?;
    }
    let wrappers = folder.join(WRAPPERS);
    fs::create_dir_all(&wrappers).map_err(at("make", &wrappers))?;
    for (name, program) in newer.wrapped() {
        let path = wrappers.join(name);
        fs::write(&path, wrapper(&root, program)).map_err(at("write", &path))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).map_err(at("set the mode of", &path))?;
    }
    for (name, _) in newer.wrapped() {
        run(Command::new(wrappers.join(name)).arg("--version"))?;
    }
    let path = folder.join(MADE);
    fs::write(&path, versions(newer, &root)?).map_err(at("write", &path))
}

/// The mirror that apt uses here.
pub(super) fn mirror() -> Result<String, Failed> {
    let mut listing = Command::new("apt-get");
    listing.args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)"]);
    let output = answer(&mut listing)?;
    let lines = output.lines().filter_map(|line| line.split_once(' '));
    // Not those of updates and of security, which have no whole release.
    let mut whole = lines.filter(|(codename, _)| !codename.contains('-'));
    let (_, mirror) = whole.next().ok_or(Failed::NoMirror)?;
    Ok(mirror.trim_end_matches('/').to_owned())
}

fn install(newer: &Newer, root: &Path, mirror: &str) -> Result<(), Failed> {
    let mut debootstrap = alone();
    debootstrap
        .args(["debootstrap", "--variant=minbase", newer.suite])
        .arg(root)
        .arg(mirror);
    run(&mut debootstrap)?;
    let policy = root.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n").map_err(at("write", &policy))?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&policy, mode).map_err(at("set the mode of", &policy))?;
    let small = root.join("etc/dpkg/dpkg.cfg.d/small");
    fs::write(&small, LEFT_OUT).map_err(at("write", &small))?;
    let mut apt = alone();
    // A release's lists may be past their date.
    apt.arg(format!("--mount-proc={}", root.join("proc").display()))
        .arg("chroot")
        .arg(root)
        .args(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"])
        .args(["apt-get", "-q", "--yes", "-o"])
        .arg("Acquire::Check-Valid-Until=false")
        .args(["install", "--no-install-recommends"])
        .args(newer.packages);
    run(&mut apt)?;
    for removed in REMOVED {
        let removed = root.join(removed);
        if removed.exists() {
            fs::remove_dir_all(&removed).map_err(at("remove", &removed))?;
        }
    }
    Ok(())
}

/// Runs a command in namespaces of its own: when it ends, its mounts are gone and its processes
/// too.
fn alone() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    command
}

/// Whether this machine lets a process have the namespaces that a wrapper needs.
pub(super) fn has_namespaces() -> bool {
    let mut trial = Command::new("unshare");
    succeeds(trial.args(["--user", "--map-root-user", "--mount", "true"]))
}

fn wrapper(root: &Path, program: &str) -> String {
    let root = root.display().to_string().replace('\'', "'\\''");
    let parts = PARTS.join(" ");
    // The inner namespace gives back the user that the outer one has made root to mount.
    format!(
        "#!/bin/sh\n\
         # Made by `cargo xtask servers`: the program, with the /usr of another Debian.\n\
         exec unshare --user --map-root-user --mount -- /bin/sh -c '\n\
         root=$1; uid=$2; gid=$3; shift 3\n\
         for part in {parts}; do mount --bind \"$root/$part\" \"/$part\" || exit 125; done\n\
         exec unshare --user --map-user=\"$uid\" --map-group=\"$gid\" -- \"$@\"' \\\n\
         sh '{root}' \"$(id -u)\" \"$(id -g)\" '/usr/{program}' \"$@\"\n"
    )
}

fn versions(newer: &Newer, root: &Path) -> Result<String, Failed> {
    let mut query = Command::new("dpkg-query");
    query
        .arg(format!(
            "--admindir={}",
            root.join("var/lib/dpkg").display()
        ))
        .args(["--show", "--showformat", "${Package} ${Version}\n"])
        .args(newer.packages);
    answer(&mut query)
}

/// What a command answers that must succeed.
fn answer(command: &mut Command) -> Result<String, Failed> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|cause| Failed::Start {
        step: shown.clone(),
        cause,
    })?;
    if !output.status.success() {
        return Err(Failed::Step {
            step: shown,
            status: output.status,
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failed {
    let path: PathBuf = path.to_owned();
    move |cause| Failed::File { doing, path, cause }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_wrapper_runs_a_program_as_its_caller_and_in_its_folder() {
        if !has_namespaces() {
            println!("not run: there are no user namespaces here");
            return;
        }
        let folder = std::env::temp_dir().join(format!("xtask's {}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // The machine's own files, in the place of themselves, by a name that must be quoted.
        let root = folder.join("root");
        symlink("/", &root).unwrap();
        let path = folder.join("sh");
        fs::write(&path, wrapper(&root, "bin/sh")).unwrap();
        let said = |program: &Path| {
            let mut command = Command::new("sh");
            let script = "pwd; id -u; id -g; echo \"$@\"; cat word";
            command.arg(program).args(["-c", script, "it", "a  b", "*"]);
            answer(command.current_dir(&folder)).unwrap()
        };
        fs::write(folder.join("word"), "here\n").unwrap();
        let bare = folder.join("bare");
        fs::write(&bare, "exec sh \"$@\"\n").unwrap();
        let wrapped = said(&path);
        assert_eq!(wrapped, said(&bare));
        assert!(wrapped.ends_with("a  b *\nhere\n"), "{wrapped}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
