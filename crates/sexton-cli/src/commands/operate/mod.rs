//! The commands that operate on a store, whoever runs its tasks.

mod act;
mod history;
mod instances;
mod migrate;
mod refused;
mod store;
mod table;
mod tasks;

use std::io;

use super::complain::complain;
use crate::args::{
    CancelArguments, HistoryArguments, InstancesArguments, MigrateArguments, PauseArguments,
    StoreArguments, TaskArguments, TasksArguments, TriggerArguments,
};
use crate::diagnostic::chain;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::store::Purpose;
use crate::visible::visible;
use refused::Refused;
use store::Opened;

/// Opens the store, does `work` with it, and tells what came of it.
fn operate(
    purpose: Purpose,
    arguments: &StoreArguments,
    environment: &Environment,
    work: impl AsyncFnOnce(&Opened) -> Result<(), Refused>,
) -> io::Result<Exit> {
    told(async || {
        let opened = store::open(purpose, arguments, environment).await?;
        work(&opened).await
    })
}

/// Does `work`, and tells why if it cannot be done.
fn told(work: impl AsyncFnOnce() -> Result<(), Refused>) -> io::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match runtime.block_on(work()) {
        Ok(()) => Ok(Exit::Done),
        Err(Refused::Write(error)) => Err(error),
        Err(Refused::File(rejected)) => Ok(complain(&rejected.to_string(), Exit::BadInput)),
        Err(refused) => {
            let text = format!("error: {}\n", visible(&chain(&refused)));
            Ok(complain(&text, refused.exit()))
        }
    }
}

/// `sexton history`.
///
/// # Errors
/// If standard output cannot be written.
pub fn history(arguments: &HistoryArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Look,
        &arguments.store,
        environment,
        async |opened| history::show(arguments, opened, environment).await,
    )
}

/// `sexton tasks`.
///
/// # Errors
/// If standard output cannot be written.
pub fn tasks(arguments: &TasksArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Look,
        &arguments.store,
        environment,
        async |opened| tasks::show(arguments, opened, environment).await,
    )
}

/// `sexton instances`.
///
/// # Errors
/// If standard output cannot be written.
pub fn instances(arguments: &InstancesArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Look,
        &arguments.store,
        environment,
        async |opened| instances::show(arguments, opened, environment).await,
    )
}

/// `sexton trigger`.
///
/// # Errors
/// If standard output cannot be written.
pub fn trigger(arguments: &TriggerArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Operate,
        &arguments.store,
        environment,
        async |opened| act::trigger(arguments, &opened.operator).await,
    )
}

/// `sexton pause`.
///
/// # Errors
/// If standard output cannot be written.
pub fn pause(arguments: &PauseArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Operate,
        &arguments.store,
        environment,
        async |opened| act::pause(arguments, &opened.operator).await,
    )
}

/// `sexton resume`.
///
/// # Errors
/// If standard output cannot be written.
pub fn resume(arguments: &TaskArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Operate,
        &arguments.store,
        environment,
        async |opened| act::resume(arguments, &opened.operator).await,
    )
}

/// `sexton cancel`.
///
/// # Errors
/// If standard output cannot be written.
pub fn cancel(arguments: &CancelArguments, environment: &Environment) -> io::Result<Exit> {
    operate(
        Purpose::Operate,
        &arguments.store,
        environment,
        async |opened| act::cancel(arguments, &opened.operator).await,
    )
}

/// `sexton store migrate`.
///
/// # Errors
/// If standard output cannot be written.
pub fn migrate(arguments: &MigrateArguments, environment: &Environment) -> io::Result<Exit> {
    told(async || migrate::migrate(arguments, environment).await)
}
