//! Which variables of the environment only the store is told of: commands do not inherit them.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::interpolate::names;

/// What commands need, whether or not the store uses it too, and what is no secret.
const EVERYBODYS: [&str; 9] = [
    "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TMPDIR", "TZ", "USER",
];

/// The names of variables that `[store]` fills in by `${NAME}` and that nothing else in the file
/// mentions.
pub(super) fn of_store_alone(top: &DeTable<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in top {
        if key.get_ref() == "store" {
            each_text(value.get_ref(), &mut |text| found.extend(names(text)));
        }
    }
    found.retain(|name| !EVERYBODYS.contains(&name.as_str()));
    for (key, value) in top {
        if key.get_ref() != "store" && !found.is_empty() {
            each_text(value.get_ref(), &mut |text| {
                for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                    found.remove(word);
                }
            });
        }
    }
    found
}

fn each_text(value: &DeValue<'_>, see: &mut impl FnMut(&str)) {
    match value {
        DeValue::String(text) => see(text),
        DeValue::Array(items) => items.iter().for_each(|item| each_text(item.get_ref(), see)),
        DeValue::Table(table) => table
            .iter()
            .for_each(|(_, value)| each_text(value.get_ref(), see)),
        _ => {}
    }
}
