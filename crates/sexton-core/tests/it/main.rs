//! Integration tests of `sexton-core`, in one binary.

#[cfg(test)]
mod engine;
#[cfg(test)]
mod schedule;
