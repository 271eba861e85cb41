//! The program, from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod bad_files;
mod check;
mod command;
mod crontab;
mod crontab_fleet;
mod crontab_folders;
mod crontab_owner;
mod crontabs;
mod descriptors;
mod documented;
mod explain;
mod fleet;
mod good_files;
mod http;
mod init;
mod instances;
mod log_form;
mod machine_clock;
mod masked;
mod migrate;
mod next;
mod operate;
mod outputs;
mod program;
mod ran;
mod random_files;
mod reading;
mod recovery;
mod refused;
mod roles;
mod rolling;
mod run;
mod server;
mod setting;
mod shortage;
mod signals;
mod standstill;
mod store_away;
mod store_file;
mod store_named;
mod store_privacy;
mod supervised;
mod task_schedules;
mod usage;
mod watched;
mod watched_stopped;
mod zones;
