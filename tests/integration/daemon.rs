//! The daemon, and what it must live through: readers that go, notes that lie, disks that fill, directories that vanish.
//! And what every command says of what others have written.
//!
//! The real binary over the emulated AWS of its own: what is at stake here is the process and its files.

#[cfg(feature = "git")]
mod approvals;
mod beacon;
mod feedback;
mod freezes;
#[cfg(feature = "git")]
mod health;
mod history;
mod host;
mod hosted;
mod inbox;
mod journal;
mod large;
#[cfg(feature = "git")]
mod notify;
mod place;
mod reader;
mod revision;
#[cfg(feature = "ssh")]
mod ssh;
#[cfg(feature = "ssh")]
mod ssh_host;
mod words;
