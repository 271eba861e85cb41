//! The commands that operate on a store, whoever runs its tasks.

mod act;
mod history;
mod instances;
mod migrate;
mod store;
mod table;
mod tasks;

use std::io;

use sexton::Operator;
use sexton::lock::LockError;
use sexton::name::TaskName;
use thiserror::Error;

use super::complain;
use crate::args::{
    CancelArguments, HistoryArguments, InstancesArguments, MigrateArguments, PauseArguments,
    StoreArguments, TaskArguments, TasksArguments, TriggerArguments,
};
use crate::diagnostic::{Rejected, chain};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::store::{Purpose, StoreError};
use crate::visible::visible;
use sexton_core::similar;
use store::Opened;

/// Why a command could not do what it was asked to.
#[derive(Debug, Error)]
enum Refused {
    #[error("{0}")]
    Argument(String),
    #[error("the file cannot be used")]
    File(Box<Rejected>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the store memory: is within the memory of the process that runs the tasks: no other can look into it"
    )]
    Memory,
    #[error("the store has never heard of a task {name:?}{similar}")]
    UnknownTask { name: String, similar: String },
    #[error("no instance has told the store what the task {name:?} is: start one that runs it")]
    NeverDefined { name: String },
    #[error("{0}")]
    NothingToDo(String),
    #[error("{0}")]
    NotSucceeded(String),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot write")]
    Write(#[from] io::Error),
}

impl Refused {
    fn exit(&self) -> Exit {
        match self {
            Refused::NothingToDo(_) | Refused::NotSucceeded(_) | Refused::Write(_) => Exit::Trouble,
            Refused::Lock(LockError::TooManyWaiting { .. }) => Exit::Trouble,
            Refused::Lock(error) => Exit::of_store(error.is_transient()),
            Refused::Store(error) => error.exit(),
            _ => Exit::BadInput,
        }
    }
}

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

/// The task of this name, if the store has heard of it; else with what its name was meant to be,
/// perhaps.
async fn known_task(operator: &Operator, name: &str) -> Result<TaskName, Refused> {
    let unknown = |similar: Option<&str>| Refused::UnknownTask {
        name: name.to_owned(),
        similar: similar.map_or_else(String::new, |similar| {
            format!("; did you mean {similar:?}?")
        }),
    };
    let Ok(task) = TaskName::new(name) else {
        return Err(unknown(None));
    };
    if operator.task(&task).await?.is_some() {
        return Ok(task);
    }
    let all = tasks::all(operator).await?;
    let names = all.iter().map(|task| task.task.as_str());
    Err(unknown(similar::closest(name, names)))
}
