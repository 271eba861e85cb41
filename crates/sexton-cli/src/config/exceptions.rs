//! `except`: the dates on which a task is not due.

use std::path::Path;

use toml::de::DeValue;

use super::fields::Field;
use crate::exceptions::{self, Exceptions};

/// How `except` is written, for messages.
const FORM: &str = "dates like 2026-12-25, ranges like \"2026-12-24..2027-01-02\" (the last date included), \
    and { file = \"holidays.txt\" } with one of these a line";

/// Reads `except`, or reports why it cannot be used. The paths in it begin in `folder`.
pub(super) fn read(field: &Field<'_>, folder: &Path) -> Option<Exceptions> {
    let items = match field.value {
        DeValue::Array(_) => field.many(FORM)?,
        _ => field.one_or_many(),
    };
    let mut exceptions = Exceptions::default();
    let mut is_usable = true;
    for item in items {
        is_usable &= read_one(&item, folder, &mut exceptions).is_some();
        if item.scope.report.is_full() {
            break;
        }
    }
    is_usable.then_some(exceptions)
}

fn read_one(item: &Field<'_>, folder: &Path, exceptions: &mut Exceptions) -> Option<()> {
    match item.value {
        DeValue::Datetime(datetime) => {
            let added = exceptions.add(&datetime.to_string());
            added.map_err(|why| item.reject(why, exceptions::FORM)).ok()
        }
        DeValue::String(_) => {
            let text = item.text(exceptions::FORM)?;
            let added = exceptions.add(text.expose());
            let reject = |why: String| item.reject_text(&text, &why, exceptions::FORM);
            added.map_err(reject).ok()
        }
        DeValue::Table(_) => {
            let mut fields = item.table(FORM)?;
            let file = fields.get("file");
            fields.finish();
            let Some(file) = file else {
                item.reject("`file` is missing", FORM);
                return None;
            };
            let path = file.text("the path of a file of dates")?;
            let place = folder.join(path.expose());
            // A path of the environment's is called as the file writes it.
            let name = match path.is_resolved() {
                true => path.written().to_owned(),
                false => place.display().to_string(),
            };
            let added = exceptions.add_file(&place, &name);
            let reject = |wrong: Vec<String>| {
                let reject = |why: &String| file.reject(why, exceptions::FORM);
                wrong.iter().for_each(reject);
            };
            added.map_err(reject).ok()
        }
        _ => {
            item.reject_kind(FORM);
            None
        }
    }
}
