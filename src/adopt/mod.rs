//! From what runs to the manifests that ask for it.
//!
//! A team that followed a guide by hand has stacks and no manifests. What was seen of them ([`Survey`]) becomes files
//! ([`write()`]) whose plan has nothing to do but to take ownership. Nothing is guessed: a reference is written only where
//! one output alone can be what a value came from, and what cannot be told stays as it is and is said.
//!
//! Nothing here asks AWS, writes a file or knows the manifests' reader: that what was written reads back as what runs
//! is a property of both, and tested.

mod backups;
mod choose;
mod environment;
mod names;
mod parameters;
mod plans;
mod records;
mod references;
mod scalar;
mod secrets;
mod services;
mod stacks;
mod summary;
mod survey;
mod write;

#[cfg(test)]
mod tests;

pub use choose::{Choice, choose};
pub use summary::summary;
pub use survey::{Ask, FoundService, FoundStack, FoundTable, FoundZone, Left, Survey, Which, ecr_image};
pub use write::{Written, write};
