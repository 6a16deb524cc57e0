//! From documents to a validated [`Desired`](crate::model::Desired): references, interpolation, JSON Schema, diagnostics.
//!
//! [`load`] is pure and total: any snapshot gives a result, and everything that is wrong with it is reported in one
//! go, with file, line and column. An environment with an error is left out as a whole; the others are not touched by
//! it, unless they take outputs from it.

mod backup;
mod bounds;
mod check;
mod consequence;
mod diagnostic;
mod doc;
mod document;
mod drift;
mod environment;
mod excerpt;
mod files;
mod graph;
mod held;
mod instantiate;
mod interpolate;
mod kinds;
mod load;
mod made;
mod maker;
mod members;
mod nearby;
mod nouns;
mod parameters;
mod policy;
mod readiness;
mod recipients;
mod record;
mod region;
mod render;
mod schema;
mod secrecy;
mod secret;
mod service;
mod shape;
mod stack;
mod survey;
mod template_file;
mod text;
mod values;
mod windows;

#[cfg(test)]
mod tests;

pub use diagnostic::{Bytes, Diagnostic, Severity};
pub use load::{Loaded, aside, load, load_under};
pub use recipients::{RECORD as RECIPIENTS_RECORD, record as recipients_record};
pub use schema::schemas;
pub use survey::Excluded;
