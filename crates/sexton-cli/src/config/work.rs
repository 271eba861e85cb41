//! What a task does: exactly one of `command`, `shell` and `http`.

use std::collections::BTreeMap;
use std::path::Path;

use super::field::Field;
use super::fields::{Fields, KEY_CHARS_MAX};
use super::http;
use crate::environment::Environment;
use crate::secret::Secret;
use crate::tasks::{CommandSpec, Inherit, Limits, MissingCwd, Policies, Program, Work};
use crate::visible::brief;

const ONE_OF: &str = "exactly one of `command`, `shell`, `http`";
const ARGUMENTS_MAX: usize = 1_000;
const VARIABLES_MAX: usize = 1_000;

/// The environment variables that commands get.
pub(super) type Variables = BTreeMap<String, Secret>;

/// How a command is set up, from `[defaults]` and the task.
#[derive(Debug, Clone, Default)]
pub(super) struct Setting {
    pub(super) cwd: Option<String>,
    pub(super) variables: Variables,
}

impl Setting {
    /// Reads `cwd` and `env`; what they do not name is as in `base`.
    pub(super) fn read(fields: &mut Fields<'_>, base: &Setting) -> Setting {
        let mut setting = base.clone();
        if let Some(cwd) = fields.get("cwd")
            && let Some(folder) = cwd.text("a folder, relative to the file's own")
        {
            if folder.expose().is_empty() {
                cwd.reject(
                    "the folder is empty",
                    "a folder, relative to the file's own",
                );
            }
            setting.cwd = Some(folder.expose().to_owned());
        }
        if let Some(field) = fields.get("env") {
            read_variables(&field, &mut setting.variables);
        }
        setting
    }
}

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
        for key in ["cwd", "env"] {
            if let Some(field) = fields.get(key) {
                let detail = format!("`{key}` means nothing to an HTTP request");
                field.reject(detail, "`cwd` and `env` go with `command` and `shell`");
            }
        }
        return http::read(http, policies).map(|spec| Work::Http(Box::new(spec)));
    }
    if let Some(http) = &http {
        http::read(http, policies);
    }
    let from_command = command.and_then(|field| read_argv(&field));
    let from_shell = shell.and_then(|field| read_shell(&field));
    let program = from_command.or(from_shell)?;
    Some(Work::Command(CommandSpec {
        program,
        cwd: Some(match &setting.cwd {
            Some(cwd) => folder.join(cwd),
            None => folder.to_owned(),
        }),
        missing_cwd: MissingCwd::Fail,
        inherit: Inherit::Everything,
        variables: setting.variables.clone(),
        stdin: None,
        run_as: None,
        umask: None,
        nice: None,
        limits: Limits::default(),
    }))
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
    let mut words = read.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
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

/// The text is the shell's own: `${NAME}` in it is left for the shell to fill in, when it runs.
fn read_shell(field: &Field<'_>) -> Option<Program> {
    let script = field.verbatim("a string for the shell")?;
    if script.trim().is_empty() {
        field.reject(
            "there is nothing for the shell to do",
            "a string for the shell",
        );
        return None;
    }
    Some(Program::Shell {
        shell: shell_of(field.scope.environment),
        script,
    })
}

/// The user's shell: `$SHELL`, or `/bin/sh`.
fn shell_of(environment: &Environment) -> String {
    environment.text("SHELL").unwrap_or("/bin/sh").to_owned()
}

fn read_variables(field: &Field<'_>, variables: &mut Variables) {
    let form = "a table of strings: { NAME = \"value\" }, without the names SEXTON_…";
    let Some(table) = field.table(form) else {
        return;
    };
    for (name, span, field) in table.into_entries() {
        if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("SEXTON_") {
            let mut problem = field
                .problem("this cannot be the name of a variable")
                .allowed(form);
            problem.span = span;
            problem.found = Some(format!("{:?}", brief(name, KEY_CHARS_MAX)));
            field.scope.push(problem);
        } else if let Some(value) = field.text("a string") {
            variables.insert(name.to_owned(), value);
        }
    }
    if variables.len() > VARIABLES_MAX {
        field.reject(
            "these are too many variables",
            format!("at most {VARIABLES_MAX}"),
        );
    }
}
