//! A crontab is run as it is. Cron knows no less than a minute, so that one test waits for the next one, for all.

use nix::unistd::{Uid, User};

use crate::program::{Program, sexton};

fn own_name() -> String {
    User::from_uid(Uid::effective()).unwrap().unwrap().name
}

#[test]
fn a_crontab_of_the_system_runs_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let cron_d = folder.path().join("etc/cron.d");
    std::fs::create_dir_all(&cron_d).unwrap();
    let (own, is_root) = (own_name(), Uid::effective().is_root());
    let other = if is_root { "nobody" } else { own.as_str() };
    let crontab = format!(
        "SHELL=/bin/sh\nGREETING = \"good  morning\"\nMAILTO=root\n\
         * * * * * {own} echo variables; echo \"$GREETING|$LOGNAME|$PATH|$SEXTON_CONCURRENCY\"\n\
         * * * * * {own} echo input; cat%first \\% line%second%\n\
         * * * * * {other} echo user; id -un; id -Gn\n\
         0 0 1 1 * {own} echo never in this test\n\
         @reboot {own} echo never at all\n"
    );
    std::fs::write(cron_d.join("own"), crontab).unwrap();
    let mut command = sexton(
        folder.path(),
        [
            "run",
            "--log-format",
            "json",
            "--store",
            "memory:",
            "--crontab",
            "etc/cron.d/own",
        ],
    );
    let mut program = Program::start(command.env("STRANGER", "not to be seen"));
    let began = program.wait("began", |_| true);
    assert_eq!(began["tasks"], 4);
    assert!(began["warnings"].to_string().contains("@reboot"), "{began}");
    let mut outputs: Vec<String> = (0..3)
        .map(|_| {
            let end = program.wait("finished", |_| true);
            assert_eq!(end["outcome"], "succeeded", "{end}");
            assert!(end["tick"].as_str().unwrap().ends_with(":00.000Z"), "{end}");
            end["output"].as_str().unwrap().to_owned()
        })
        .collect();
    outputs.sort();
    assert_eq!(outputs[0], "input\nfirst % line\nsecond\n");
    assert!(
        outputs[1].starts_with(&format!("user\n{other}\n")),
        "{outputs:?}"
    );
    assert!(!is_root || !outputs[1].ends_with("root\n"), "{outputs:?}");
    assert_eq!(
        outputs[2],
        format!("variables\ngood  morning|{own}|/usr/bin:/bin|1\n")
    );
    assert!(program.stop().status.success());
}

#[test]
fn a_user_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crontab");
    std::fs::write(&path, "* * * * * no-such-user-here true\n").unwrap();
    let arguments = ["run", "--crontab-form", "system", "--crontab"];
    let output = sexton(folder.path(), arguments)
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("no-such-user-here") && stderr.contains("crontab:1"),
        "{stderr}"
    );
}
