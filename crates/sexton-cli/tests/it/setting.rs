//! What a command is set up with: its environment, shell, input and limits.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Program, sexton};
use crate::reading::{rejected_task, task_file};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

const STORE: &str = "[store]\nurl = \"memory:\"\n";

fn task(lines: &str) -> String {
    format!("[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\n{lines}\n")
}

/// The first end of the task `t` of a file, by a program with these variables.
fn first_end(folder: &Path, text: &str, variables: &[(&str, &str)]) -> Value {
    std::fs::write(folder.join("tasks.toml"), text).unwrap();
    let mut command = sexton(folder, ["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(command.envs(variables.iter().copied()));
    let end = program.finished("t");
    let ended = program.stop();
    assert!(ended.status.success(), "{ended:?}");
    end
}

/// What the command of a task with these lines says first.
fn said(lines: &str) -> String {
    let end = first_end(folder().path(), &format!("{STORE}{}", task(lines)), &[]);
    assert_eq!(end["outcome"], "succeeded", "{end}");
    end["output"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_shell_line_is_run_by_sh_whatever_shell_the_user_has() {
    for shell in ["/usr/sbin/nologin", "/bin/bash", ""] {
        let text = format!(
            "{STORE}{}",
            task("shell = 'tr \"\\0\" \" \" < /proc/$$/cmdline | cut -d \" \" -f 1'")
        );
        let end = first_end(folder().path(), &text, &[("SHELL", shell)]);
        assert_eq!(end["output"], "/bin/sh\n", "{shell}: {end}");
    }
}

#[test]
fn another_shell_can_be_chosen() {
    let lines = "shell_program = \"/bin/bash\"\nshell = 'echo ${BASH_VERSION:+bash}'";
    assert_eq!(said(lines), "bash\n");
}

const VARIABLES: [(&str, &str); 4] = [
    ("STORE_PASSWORD", "hunter2"),
    ("SEXTON_STORE", "sqlite:of-the-environment.db"),
    ("WORD", "word"),
    ("OTHER", "other"),
];

/// The names of the variables that the command sees of [`VARIABLES`].
fn inherited(file: &str) -> Vec<String> {
    let lines = "command = [\"env\"]";
    let end = first_end(
        folder().path(),
        &format!("{file}{}", task(lines)),
        &VARIABLES,
    );
    let output = end["output"].as_str().unwrap().to_owned();
    assert!(!output.contains("SEXTON_STORE"), "{output}");
    let names = output.lines().filter_map(|line| line.split_once('='));
    let mut names: Vec<String> = names
        .map(|(name, _)| name.to_owned())
        .filter(|name| VARIABLES.iter().any(|(variable, _)| variable == name))
        .collect();
    names.sort();
    names
}

/// A store whose password comes from the environment, so far as SQLite has one.
const STORE_WITH_PASSWORD: &str = "[store]\nurl = \"sqlite:${STORE_PASSWORD}.db\"\n";

#[test]
fn what_only_the_store_is_told_is_not_handed_down() {
    assert_eq!(inherited(STORE_WITH_PASSWORD), ["OTHER", "WORD"]);
    let for_both =
        format!("{STORE_WITH_PASSWORD}[defaults]\nenv = {{ A = \"${{STORE_PASSWORD}}\" }}\n");
    assert_eq!(inherited(&for_both), ["OTHER", "STORE_PASSWORD", "WORD"]);
}

#[test]
fn a_task_inherits_what_it_says() {
    let with = |inherit: &str| inherited(&format!("{STORE}[defaults]\ninherit = {inherit}\n"));
    assert_eq!(with("\"all\""), ["OTHER", "STORE_PASSWORD", "WORD"]);
    assert_eq!(with("[\"WORD\", \"NOT_SET\"]"), ["WORD"]);
    assert!(with("\"none\"").is_empty());
    let file = format!("{STORE}[defaults]\ninherit = \"none\"\n");
    let own = task("inherit = [\"WORD\"]\nshell = 'echo \"$WORD,$OTHER\"'");
    let end = first_end(folder().path(), &format!("{file}{own}"), &VARIABLES);
    assert_eq!(end["output"], "word,\n");
}

#[test]
fn a_home_that_the_store_lies_in_is_everybodys() {
    let text =
        "[store]\nurl = \"sqlite:${HOME}/s.db\"\n".to_owned() + &task("shell = 'echo $HOME'");
    let folder = folder();
    let home = folder.path().to_str().unwrap();
    let end = first_end(folder.path(), &text, &[("HOME", home)]);
    assert_eq!(end["output"], format!("{home}\n"));
}

#[test]
fn a_command_reads_what_the_file_gives_it() {
    let long = "x".repeat(200_000);
    assert_eq!(
        said(
            "stdin = \"a ${PATH:+} $$b\\n\"\ncommand = [\"cat\"]"
                .replace("${PATH:+} ", "")
                .as_str()
        ),
        "a $b\n"
    );
    assert_eq!(
        said(&format!("stdin = \"{long}\"\ncommand = [\"wc\", \"-c\"]")),
        "200000\n"
    );
    // A command need not read any of it.
    assert_eq!(
        said(&format!(
            "stdin = \"{long}\"\nshell = 'exec < /dev/null; echo done'"
        )),
        "done\n"
    );
}

#[test]
fn umask_and_priority() {
    assert_eq!(said("umask = \"027\"\nshell = 'umask'"), "0027\n");
    assert_eq!(said("umask = \"0077\"\nshell = 'umask'"), "0077\n");
    assert_eq!(
        said("nice = 19\nshell = 'cut -d \" \" -f 19 /proc/self/stat'"),
        "19\n"
    );
}

#[test]
fn limits_are_those_of_the_command_and_it_cannot_raise_them() {
    let limits =
        "limits = { files = 64, cpu = \"90s\", core = 0, file_size = \"1M\", processes = 5000 }";
    let shell =
        "shell = '''ulimit -S -n; ulimit -H -n; ulimit -S -t; ulimit -S -c; ulimit -S -f'''";
    assert_eq!(said(&format!("{limits}\n{shell}")), "64\n64\n90\n0\n2048\n");
    let memory = "limits = { memory = \"64M\" }";
    let end = first_end(
        folder().path(),
        &format!(
            "{STORE}{}",
            task(&format!(
                "{memory}\nshell = 'ulimit -v; head -c 200M /dev/zero | tail -n 1 | wc -c'"
            ))
        ),
        &[],
    );
    let output = end["output"].as_str().unwrap();
    assert!(
        output.starts_with("65536\n") && output.contains("memory"),
        "{end}"
    );
}

/// Root may raise a limit, if it was not taken the right to (CAP_SYS_RESOURCE).
#[test]
fn a_limit_above_the_programs_own_is_given_or_refused() {
    let folder = folder();
    let text = format!(
        "{STORE}{}",
        task("limits = { files = 300 }\nshell = 'ulimit -H -n'")
    );
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let mut shell = std::process::Command::new("sh");
    let begin = format!(
        "ulimit -n 200; exec {} run --log-format json tasks.toml",
        env!("CARGO_BIN_EXE_sexton")
    );
    shell.args(["-c", &begin]).current_dir(folder.path());
    let mut program = Program::start(&mut shell);
    let end = program.finished("t");
    let refused =
        "cannot start \"/bin/sh\": cannot set `limits`: Operation not permitted (os error 1)";
    assert!(end["output"] == "300\n" || end["error"] == refused, "{end}");
}

#[test]
fn a_limited_program_that_is_not_there_is_told_as_any() {
    let text = format!(
        "{STORE}{}",
        task("limits = { memory = \"64M\" }\ncommand = [\"no-such-program\"]")
    );
    let end = first_end(folder().path(), &text, &[]);
    let error = "cannot start \"no-such-program\": No such file or directory (os error 2)";
    assert_eq!(end["error"], error);
}

#[test]
fn a_processor_limit_ends_a_command_by_its_signal() {
    let text = format!(
        "{STORE}{}",
        task("limits = { cpu = \"1s\" }\nshell = 'while :; do :; done'")
    );
    let end = first_end(folder().path(), &text, &[]);
    assert_eq!(end["error"], "ended by SIGXCPU", "{end}");
}

#[test]
fn what_cannot_be_set_is_told_with_the_field() {
    assert_snapshot!(rejected_task("inherit = \"some\"\numask = \"8\"\nnice = 20\nlimits = { memory = \"1 GB\", files = 3, cpus = 1 }\nshell_program = \"fish\""), @r#"
    error: this cannot be inherited
     --> tasks.toml:5:11, task "bell", field `inherit`
      |
    5 | inherit = "some"
      |           ^^^^^^ found "some"
      = allowed: "all", "none", or an array of names of variables, without the names SEXTON_…

    error: this is no file mode creation mask
     --> tasks.toml:6:9, task "bell", field `umask`
      |
    6 | umask = "8"
      |         ^^^ found "8"
      = allowed: three octal digits as a string, such as "027"

    error: the number is out of range
     --> tasks.toml:7:8, task "bell", field `nice`
      |
    7 | nice = 20
      |        ^^ found 20
      = allowed: a whole number, -20..=19

    error: this is no number of bytes
     --> tasks.toml:8:21, task "bell", field `limits.memory`
      |
    8 | limits = { memory = "1 GB", files = 3, cpus = 1 }
      |                     ^^^^^^ found "1 GB"
      = allowed: a number of bytes, or a string such as "512M" (K, M, G and T are powers of 1024)

    error: the number is out of range
     --> tasks.toml:8:37, task "bell", field `limits.files`
      |
    8 | limits = { memory = "1 GB", files = 3, cpus = 1 }
      |                                     ^ found 3
      = allowed: a whole number, 16..=1073741824

    error: unknown field `cpus`
     --> tasks.toml:8:40, task "bell", field `limits.cpus`
      |
    8 | limits = { memory = "1 GB", files = 3, cpus = 1 }
      |                                        ^^^^
      = allowed: `core`, `cpu`, `file_size`, `files`, `memory`, `processes`
      = help: did you mean `cpu`?

    error: `shell_program` means nothing to a task without `shell`
     --> tasks.toml:9:17, task "bell", field `shell_program`
      |
    9 | shell_program = "fish"
      |                 ^^^^^^ found "fish"
      = allowed: `shell_program` goes with `shell`

    tasks.toml: 7 errors
    "#);
}

#[test]
fn a_secret_in_an_argument_and_a_process_id_are_warned_of() {
    let text = "[[task]]\nname = \"bell\"\ncron = \"@hourly\"\ncommand = [\"curl\", \"-u\", \"${SECRET}\", \"${HOME}\"]\n\
                [[task]]\nname = \"shell\"\ncron = \"@hourly\"\ncommand = [\"/bin/sh\", \"-c\", \"echo $$ > pid; echo $$$$ $${A}\"]\n";
    assert_snapshot!(task_file(text).unwrap().warnings.concat(), @r#"
    warning: everybody on the machine can read ${SECRET} in the list of processes
     --> tasks.toml:4:26, task "bell", field `command[2]`
      |
    4 | command = ["curl", "-u", "${SECRET}", "${HOME}"]
      |                          ^^^^^^^^^^^ found "${SECRET}"
      = help: pass it by `env`, or let the command read it from `stdin`
    warning: `$$` becomes `$` here, before the shell sees it
     --> tasks.toml:8:29, task "shell", field `command[2]`
      |
    8 | command = ["/bin/sh", "-c", "echo $$ > pid; echo $$$$ $${A}"]
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "echo $$ > pid; echo $$$$ $${A}"
      = help: write `$$$$` for the shell's process id, or use `shell = "…"`, which is left as it is
    "#);
    let quiet = "[[task]]\nname = \"bell\"\ncron = \"@hourly\"\nenv = { TOKEN = \"${SECRET}\" }\nstdin = \"${SECRET}\"\ncommand = [\"sh\", \"-c\", \"echo $${A} $$$$\"]\n";
    assert!(task_file(quiet).unwrap().warnings.is_empty());
}
