//! How a command is set up, from `[defaults]` and the task: its folder, environment, shell, and
//! what it may use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::DeValue;

use super::fields::{Field, Fields, KEY_CHARS_MAX};
use super::limits;
use crate::secret::Secret;
use crate::tasks::{Inherit, Limits};
use crate::visible::brief;

const VARIABLES_MAX: usize = 1_000;
const CWD_FORM: &str = "a folder, relative to the file's own";
const SHELL_FORM: &str = "the path of a shell that takes `-c`, such as \"/bin/bash\"";
const INHERIT_FORM: &str =
    "\"all\", \"none\", or an array of names of variables, without the names SEXTON_…";
const UMASK_FORM: &str = "three octal digits as a string, such as \"027\"";
const NICE_MIN: i64 = -20;
const NICE_MAX: i64 = 19;

/// The fields that mean something to commands only.
pub(super) const KEYS: [&str; 7] = [
    "cwd",
    "env",
    "inherit",
    "limits",
    "nice",
    "shell_program",
    "umask",
];

/// How a command is set up.
#[derive(Debug, Clone, Default)]
pub(super) struct Setting {
    pub(super) cwd: Option<String>,
    pub(super) variables: BTreeMap<String, Secret>,
    pub(super) inherit: Inherit,
    /// The variables that no command inherits by default.
    withheld: Arc<BTreeSet<String>>,
    pub(super) shell_program: Option<String>,
    pub(super) umask: Option<u32>,
    pub(super) nice: Option<i8>,
    pub(super) limits: Limits,
}

impl Setting {
    /// The setting of a task that says nothing, in a file where no command inherits these
    /// variables.
    pub(super) fn withholding(names: BTreeSet<String>) -> Setting {
        let withheld = Arc::new(names);
        Setting {
            inherit: Inherit::AllBut(Arc::clone(&withheld)),
            withheld,
            ..Setting::default()
        }
    }

    /// Reads the fields of a setting; what they do not name is as in `base`.
    pub(super) fn read(fields: &mut Fields<'_>, base: &Setting) -> Setting {
        let mut setting = base.clone();
        if let Some(field) = fields.get("cwd") {
            setting.cwd = read_path(&field, CWD_FORM, "the folder is empty").or(setting.cwd);
        }
        if let Some(field) = fields.get("env") {
            read_variables(&field, &mut setting.variables);
        }
        if let Some(field) = fields.get("inherit") {
            setting.inherit = read_inherit(&field, &setting.withheld).unwrap_or_default();
        }
        if let Some(field) = fields.get("shell_program") {
            let shell = read_path(&field, SHELL_FORM, "the path is empty");
            setting.shell_program = shell.or(setting.shell_program);
        }
        if let Some(field) = fields.get("umask") {
            setting.umask = read_umask(&field);
        }
        if let Some(field) = fields.get("nice") {
            let nice = field.integer(NICE_MIN..=NICE_MAX);
            setting.nice = nice.and_then(|nice| i8::try_from(nice).ok());
        }
        if let Some(field) = fields.get("limits") {
            limits::read(&field, &mut setting.limits);
        }
        setting
    }
}

fn read_path(field: &Field<'_>, form: &str, if_empty: &str) -> Option<String> {
    let path = field.text(form)?;
    if path.expose().is_empty() {
        field.reject(if_empty, form);
    }
    Some(path.expose().to_owned())
}

fn read_inherit(field: &Field<'_>, withheld: &Arc<BTreeSet<String>>) -> Option<Inherit> {
    if !matches!(field.value, DeValue::Array(_)) {
        return match field.text(INHERIT_FORM)?.expose() {
            "all" => Some(Inherit::AllBut(Arc::clone(withheld))),
            "none" => Some(Inherit::nothing()),
            _ => {
                field.reject("this cannot be inherited", INHERIT_FORM);
                None
            }
        };
    }
    let mut names = BTreeSet::new();
    for item in field.one_or_many() {
        let name = item.text(INHERIT_FORM)?;
        if is_variable(name.expose()) {
            names.insert(name.expose().to_owned());
        } else {
            let detail = "this cannot be the name of a variable to inherit";
            item.reject_text(&name, detail, INHERIT_FORM);
        }
    }
    Some(Inherit::Only(Arc::new(names)))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !name.starts_with("SEXTON_")
}

fn read_umask(field: &Field<'_>) -> Option<u32> {
    let text = field.text(UMASK_FORM)?;
    let digits = text.expose();
    let is_octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let digits = digits
        .strip_prefix('0')
        .filter(|rest| rest.len() == 3)
        .unwrap_or(digits);
    if is_octal && digits.len() == 3 {
        return u32::from_str_radix(digits, 8).ok();
    }
    field.reject_text(&text, "this is no file mode creation mask", UMASK_FORM);
    None
}

fn read_variables(field: &Field<'_>, variables: &mut BTreeMap<String, Secret>) {
    let form = "a table of strings: { NAME = \"value\" }, without the names SEXTON_…";
    let Some(table) = field.table(form) else {
        return;
    };
    for (name, span, field) in table.into_entries() {
        if !is_variable(name) {
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
