//! Runs one step of a plan: re-reads its precondition, writes down what it is about to do, and does it.
//!
//! Nothing is chosen here. Long operations are started and never awaited: the next look sees how far they are. What is
//! written to the journal before a call is enough to find out after a crash whether the call took effect.

mod backup;
mod executor;
mod journal;
mod outcome;
mod record;
mod secret;
mod service;
mod stack;

pub use executor::{Executor, Terms, take_reviews, tell};
pub use outcome::Outcome;
