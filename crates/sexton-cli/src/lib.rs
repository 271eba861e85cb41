//! The `sexton` program: tasks that are commands or HTTP requests, from a task file or a crontab,
//! each tick run once over all processes that share a store.
//!
//! This crate is the program's inside; what others build on is the `sexton` crate. Only here are
//! files, flags and the environment read.

#[cfg(not(any(
    feature = "mongodb",
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
)))]
compile_error!("sexton needs a store: build it with a feature like `sqlite` or `full`");

pub mod args;
pub mod commands;
pub mod config;
pub mod crontab;
mod descriptors;
pub mod diagnostic;
pub mod duration;
pub mod environment;
mod exceptions;
pub mod exec;
pub mod execute;
pub mod exit;
mod headroom;
pub mod init;
pub mod masks;
mod output;
mod program_file;
mod run;
pub mod secret;
mod store;
mod store_file;
mod store_privacy;
pub mod store_url;
pub mod tasks;
pub mod tls;
pub mod visible;
mod zones;
