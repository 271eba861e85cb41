//! The store to operate on.

use sexton::Operator;
use sexton::name::Namespace;

use super::refused::Refused;
use crate::args::{NamedFile, StoreArguments, StoreFlags};
use crate::config;
use crate::crontab::{self, NamesAlone};
use crate::environment::Environment;
use crate::store::{self, Purpose};
use crate::store_url::StoreUrl;
use crate::tasks::TaskFile;

/// A store, and the task file that named it, if one did.
pub(super) struct Opened {
    pub(super) operator: Operator,
    pub(super) file: Option<TaskFile>,
}

/// Which store is named, and by which task file or crontabs, if any were given. A crontab's lines are
/// read for their names: nothing is run here, so that its users need not be known.
pub(super) fn named(
    store: &StoreFlags,
    file: &NamedFile,
    environment: &Environment,
) -> Result<(StoreUrl, Option<TaskFile>), Refused> {
    let loaded = match &file.file {
        Some(path) => Some(config::load(path, environment)),
        None if file.crontab.is_empty() => None,
        None => {
            let selection = file.reading.of(&file.crontab);
            Some(crontab::load_all(&selection, environment, &NamesAlone))
        }
    };
    let file = loaded
        .transpose()
        .map_err(|rejected| Refused::File(Box::new(rejected)))?;
    let url = store::url(store, file.as_ref(), environment)?;
    if url == StoreUrl::Memory {
        return Err(Refused::Memory);
    }
    Ok((url, file))
}

/// Opens the store that is named, which must be there: a wrong name is no reason to make one.
pub(super) async fn open(
    purpose: Purpose,
    arguments: &StoreArguments,
    environment: &Environment,
) -> Result<Opened, Refused> {
    let (url, file) = named(&arguments.url, &arguments.file, environment)?;
    let namespace = match &arguments.namespace {
        Some(name) => Some(
            Namespace::new(name)
                .map_err(|error| Refused::Argument(format!("--namespace {name:?}: {error}")))?,
        ),
        None => file.as_ref().and_then(|file| file.store.namespace.clone()),
    };
    let store = store::open(&url, namespace, purpose).await?;
    let operator = Operator::shared(store.manager, who(environment));
    Ok(Opened { operator, file })
}

/// Who operates, as others read it.
fn who(environment: &Environment) -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| environment.text(name));
    user.unwrap_or("an operator").to_owned()
}
