//! What outlives the process: the journal, what is remembered of each stack, what was approved.
//!
//! One embedded, transactional file ([`Store::open`]) or, for the simulation, rows in memory that survive a crash of
//! the store but not of the process ([`Store::on`] a [`Disk`]). Everything that is read often is mirrored in memory, so
//! that a look at an environment costs no I/O; everything that must not be lost is one durable transaction.
//!
//! The store does not decide and does not interpret: it keeps facts. A file that is damaged, that another program
//! wrote or that a newer Landfast wrote is refused, and is never written to.

mod disk;
mod error;
mod export;
mod file;
mod freezes;
mod handle;
mod inbox;
mod key;
mod note;
mod order;
mod outbox;
mod record;
mod reviews;
mod rows;
mod state;

pub use disk::Disk;
pub use error::StoreError;
pub use export::Export;
pub use file::Access;
pub use freezes::{Held, PeoplesWord};
pub use handle::Store;
pub use inbox::{Inbox, Rejected};
pub use note::{Approval, Note, SyncRequest, SyncScope, author};
pub use order::HoldOrder;
pub use record::{Begun, Record, RecordOutcome};
pub use reviews::{Taken, Verify};
