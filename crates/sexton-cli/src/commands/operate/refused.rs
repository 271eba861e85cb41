//! Why a command could not do what it was asked to.

use std::io;

use sexton::lock::LockError;
use thiserror::Error;

use crate::diagnostic::Rejected;
use crate::exit::Exit;
use crate::store::StoreError;

/// Why a command could not do what it was asked to.
#[derive(Debug, Error)]
pub(super) enum Refused {
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
    /// How the program ends by it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Refused::NothingToDo(_) | Refused::NotSucceeded(_) | Refused::Write(_) => Exit::Trouble,
            Refused::Lock(LockError::TooManyWaiting { .. }) => Exit::Trouble,
            Refused::Lock(error) => Exit::of_store(error.is_transient()),
            Refused::Store(error) => error.exit(),
            _ => Exit::BadInput,
        }
    }
}
