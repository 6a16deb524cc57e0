//! What the operator allows, whatever the repository says.
//!
//! Whoever can change a manifest can change the policy that is written in it. So the operator has a configuration of their
//! own, `landfast.toml`, which is never read from the repository of the manifests. It has a section for each group of
//! environments; every section that has an environment's name applies to it, and the tightest of what they say holds. A
//! manifest can ask for less, and never gets more (invariant S26).
//!
//! Nothing here reads a file: [`read`] is given the text.

mod allow;
mod approvals;
mod document;
mod events;
mod floor;
mod notify;
mod period;
mod section;
mod source;

pub use allow::{Floor, What};
pub use document::{Wrong, read, schema};
pub use floor::floor;
pub use section::{Operator, Said, Section};
