//! What Landfast asks of AWS, in its own nouns.
//!
//! One method is one API call. A port never decides, never retries and never waits: that is done once, above all back
//! ends, by the [`Governor`]. Two back ends implement the ports, `aws` (the SDK) and `sim` (in memory), and one
//! contract suite holds both to the same behaviour.

mod account;
mod containers;
mod drift;
mod error;
mod gate;
mod governor;
mod health;
mod hush;
mod metrics;
mod objects;
mod pages;
mod probes;
mod queue;
mod records;
mod seal;
mod secrets;
mod stacks;
mod tables;
mod trail;
mod vaults;

pub use account::Account;
pub use containers::{Containers, CopyTaskDefinition, TasksWanted, UpdateService};
pub use drift::Drift;
pub use error::{Class, PortError, found};
pub use gate::{Closed, Fence, Gate};
pub use governor::{Governor, Priority, Usage};
pub use health::Health;
pub use hush::Hush;
pub use metrics::Metrics;
pub use objects::{OBJECT_MAX, Objects};
pub(crate) use pages::{PAGES_MAX, all, endless};
pub use pages::{Page, PageToken};
pub use probes::{BODY_MAX, HttpAnswer, NoHttpAnswer, NoProbes, Probes, Unasked};
pub use queue::{MESSAGES_MAX, Message, Queue, QueueState};
pub use records::{RecordPage, Records, RecordsFrom};
pub use seal::{Identities, SealError, Unseal, seal, seal_for};
pub use secrets::{CreateSecret, PutSecretValue, SecretVersion, Secrets, UpdateSecret};
pub use stacks::{Cloud, CreateChangeSet, CreateStack, STORED_MAX, Stacks, TemplateSource, Uploaded};
pub use tables::{ItemsRead, TableChange, Tables};
pub use trail::Trail;
pub use vaults::{StartBackup, StartCopy, StartRestore, Vaults};
