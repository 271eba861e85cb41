//! What stores have in common besides [the rules](super::rules): how policies are written down, and
//! what a definition and a report find. For implementers.

mod define;
mod report;
mod words;

pub use define::{DefineBatch, Defining, Definitions, define};
pub use report::{Reported, report};
pub use words::{delivery_of, delivery_word, overlap_of, overlap_word};
