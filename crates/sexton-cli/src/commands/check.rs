//! `sexton check`.

use std::io::{self, Write};

use super::{complain, load};
use crate::args::FileArguments;
use crate::diagnostic::Rejected;
use crate::environment::Environment;
use crate::execute::Requests;
use crate::exit::Exit;
use crate::store_privacy;
use crate::store_url::StoreUrl;
use crate::tasks::TaskFile;
use crate::visible::visible;

/// Says whether a file is in order, and its requests can be sent from this machine.
///
/// # Errors
/// If standard output cannot be written.
pub fn check(arguments: &FileArguments, environment: &Environment) -> io::Result<Exit> {
    let mut file = match load(arguments, environment) {
        Ok(file) => file,
        Err(rejected) => return Ok(complain(&rejected.to_string(), Exit::BadInput)),
    };
    if let Err(error) = Requests::new().prepare(&file.tasks) {
        return Ok(complain(
            &Rejected::whole(error).to_string(),
            Exit::BadInput,
        ));
    }
    file.warnings.extend(of_store(&file));
    file.warnings.iter().for_each(|warning| {
        complain(&format!("{warning}\n"), Exit::Done);
    });
    let path = arguments.crontab.as_ref().or(arguments.file.as_ref());
    let path = path.map_or_else(String::new, |path| path.display().to_string());
    let mut summary = format!("{}, no errors", counted(file.tasks.len(), "task"));
    if !file.warnings.is_empty() {
        summary = format!("{summary}, {}", counted(file.warnings.len(), "warning"));
    }
    writeln!(io::stdout().lock(), "{}: {summary}", visible(&path))?;
    Ok(Exit::Done)
}

/// What is to be said of the store that the file names.
fn of_store(file: &TaskFile) -> Option<String> {
    let url = file.store.url.as_ref()?;
    let url = StoreUrl::parse(url.expose(), &file.folder).ok()?;
    store_privacy::warning(&url)
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
