//! The store to operate on.

use std::path::Path;

use sexton::Operator;
use sexton::name::Namespace;

use super::Refused;
use crate::args::{StoreArguments, StoreFlags};
use crate::config;
use crate::environment::Environment;
use crate::store::{self, Purpose};
use crate::store_url::StoreUrl;
use crate::tasks::TaskFile;

/// A store, and the task file that named it, if one did.
pub(super) struct Opened {
    pub(super) operator: Operator,
    pub(super) file: Option<TaskFile>,
}

/// Which store is named, and by which file, if one was given.
pub(super) fn named(
    store: &StoreFlags,
    file: Option<&Path>,
    environment: &Environment,
) -> Result<(StoreUrl, Option<TaskFile>), Refused> {
    let loaded = file.map(|path| config::load(path, environment));
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
    let (url, file) = named(&arguments.url, arguments.file.as_deref(), environment)?;
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
