//! What a task does: exactly one of `command`, `shell` and `http`.

use std::path::Path;

use super::fields::{Field, Fields};
use super::http;
use super::interpolate;
use super::setting::{self, Setting};
use crate::diagnostic::Severity;
use crate::secret::Secret;
use crate::tasks::{CommandSpec, MissingCwd, Policies, Program, Work};

const ONE_OF: &str = "exactly one of `command`, `shell`, `http`";
const ARGUMENTS_MAX: usize = 1_000;
/// Whatever shell the program's own user has: a task does the same wherever the program runs.
const SHELL_DEFAULT: &str = "/bin/sh";
/// The parts of a variable's name that say that its value is secret.
const SECRET_WORDS: [&str; 6] = ["AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "TOKEN"];
/// The programs in whose arguments `$$` is likely to be meant for them.
const SHELLS: [&str; 6] = ["ash", "bash", "dash", "ksh", "sh", "zsh"];

/// Reads what the task does, or reports why it cannot.
pub(super) fn read(
    fields: &mut Fields<'_>,
    setting: &Setting,
    policies: &Policies,
    folder: &Path,
) -> Option<Work> {
    let command = fields.get("command");
    let shell = fields.get("shell");
    let http = fields.get("http");
    let given: Vec<_> = [&command, &shell, &http].into_iter().flatten().collect();
    match given.as_slice() {
        [] => {
            let problem = fields.problem("the task does nothing").allowed(ONE_OF);
            fields.scope.push(problem);
            return None;
        }
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                let detail = format!("the task already has `{}`", first.path);
                other.reject(detail, ONE_OF);
            }
        }
    }
    if let Some(http) = &http
        && command.is_none()
        && shell.is_none()
    {
        for key in setting::KEYS.into_iter().chain(["stdin"]) {
            if let Some(field) = fields.get(key) {
                let detail = format!("`{key}` means nothing to an HTTP request");
                field.reject(detail, format!("`{key}` goes with `command` and `shell`"));
            }
        }
        return http::read(http, policies, folder).map(|spec| Work::Http(Box::new(spec)));
    }
    if let Some(http) = &http {
        http::read(http, policies, folder);
    }
    if let (None, Some(field)) = (&shell, fields.get("shell_program")) {
        let detail = "`shell_program` means nothing to a task without `shell`";
        field.reject(detail, "`shell_program` goes with `shell`");
    }
    let stdin = fields
        .get("stdin")
        .and_then(|field| field.text("a string for the command to read"));
    let from_command = command.and_then(|field| read_argv(&field));
    let from_shell = shell.and_then(|field| read_shell(&field, setting));
    let program = from_command.or(from_shell)?;
    Some(Work::Command(Box::new(CommandSpec {
        program,
        cwd: Some(match &setting.cwd {
            Some(cwd) => folder.join(cwd),
            None => folder.to_owned(),
        }),
        missing_cwd: MissingCwd::Fail,
        inherit: setting.inherit.clone(),
        variables: setting.variables.clone(),
        stdin,
        run_as: None,
        umask: setting.umask,
        nice: setting.nice,
        limits: setting.limits,
    })))
}

fn read_argv(field: &Field<'_>) -> Option<Program> {
    let form = "an array of strings, the program first: [\"echo\", \"hello\"]; a line for the shell \
        is written `shell = \"echo hello\"`";
    let items = field.many(form)?;
    if items.len() > ARGUMENTS_MAX {
        field.reject(
            "these are too many arguments",
            format!("at most {ARGUMENTS_MAX}"),
        );
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| item.text("a string")).collect();
    let words = read.into_iter().collect::<Option<Vec<_>>>()?;
    warn_of_arguments(&items, &words);
    let mut words = words.into_iter();
    let program = words.next()?;
    if program.expose().is_empty() {
        items[0].reject(
            "the program is empty",
            "a path, or a name to be found in PATH",
        );
        return None;
    }
    Some(Program::Argv {
        program,
        arguments: words.collect(),
    })
}

/// Warns of what is likely to do something else than it seems to.
fn warn_of_arguments(items: &[Field<'_>], words: &[Secret]) {
    let Some(program) = words.first() else { return };
    let name = program.written().rsplit('/').next().unwrap_or_default();
    let is_shell = SHELLS.contains(&name);
    for (item, word) in items.iter().zip(words).skip(1) {
        let written = item.verbatim("a string").unwrap_or_default();
        let names = interpolate::names(&written);
        let is_secret = |name: &&String| {
            let name = name.to_ascii_uppercase();
            SECRET_WORDS.iter().any(|word| name.contains(word))
        };
        if let Some(secret) = names.iter().find(is_secret).filter(|_| word.is_resolved()) {
            let mut problem = item.problem(format!(
                "everybody on the machine can read ${{{secret}}} in the list of processes"
            ));
            problem.severity = Severity::Warning;
            let help = "pass it by `env`, or let the command read it from `stdin`";
            item.scope.push(problem.help(help));
        }
        if is_shell && has_process_id(&written) {
            let mut problem = item.problem("`$$` becomes `$` here, before the shell sees it");
            problem.severity = Severity::Warning;
            let help = "write `$$$$` for the shell's process id, or use `shell = \"…\"`, which is left as it is";
            item.scope.push(problem.help(help));
        }
    }
}

/// Whether there is a `$$` that does not keep a `${` or another `$$` from being filled in.
fn has_process_id(written: &str) -> bool {
    let mut rest = written;
    while let Some(at) = rest.find("$$") {
        let after = rest[at..].trim_start_matches('$');
        let dollars = rest.len() - at - after.len();
        if dollars == 2 && !after.starts_with('{') {
            return true;
        }
        rest = after;
    }
    false
}

/// The text is the shell's own: `${NAME}` in it is left for the shell to fill in, when it runs.
fn read_shell(field: &Field<'_>, setting: &Setting) -> Option<Program> {
    let script = field.verbatim("a string for the shell")?;
    if script.trim().is_empty() {
        field.reject(
            "there is nothing for the shell to do",
            "a string for the shell",
        );
        return None;
    }
    Some(Program::Shell {
        shell: setting
            .shell_program
            .clone()
            .unwrap_or_else(|| SHELL_DEFAULT.to_owned())
            .into(),
        script: script.into(),
    })
}
