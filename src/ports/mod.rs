//! What Landfast asks of AWS, in its own nouns.
//!
//! One method is one API call. A port never decides, never retries and never waits: that is done once, above all back
//! ends, by the [`Governor`]. Two back ends implement the ports, `aws` (the SDK) and `sim` (in memory), and one
//! contract suite holds both to the same behaviour.

mod containers;
mod error;
mod gate;
mod governor;
mod health;
mod records;
mod secrets;
mod stacks;

pub use containers::{Containers, CopyTaskDefinition, TasksWanted, UpdateService};
pub use error::{Class, PortError};
pub use gate::{Closed, Fence, Gate};
pub use governor::{Governor, Priority, Usage};
pub use health::Health;
pub use records::Records;
pub use secrets::Secrets;
pub use stacks::{Cloud, CreateChangeSet, CreateStack, Page, PageToken, Stacks, TemplateSource};
