//! Integration tests of `sexton-core`, in one binary.

#[cfg(test)]
mod schedule;
