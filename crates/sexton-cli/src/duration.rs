//! Durations in task files and flags: the grammar of [`sexton_core::length`].

pub use sexton_core::length::{FORM, LengthError, parse, text as display};
