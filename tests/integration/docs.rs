//! The documentation: the README and the book in `docs/`, held against the program.

mod commands;
mod links;
mod markdown;
mod messages;
mod recipe;
mod reference;
pub(crate) mod session;
