//! `landfast sync`: look now.

use super::person::{wall_clock, whoami};
use crate::cli::args::Global;
use crate::cli::beacon::Beacon;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::store::{Inbox, Note, SyncRequest, SyncScope};

/// Leaves a note for the daemon of this state directory.
pub(super) fn run(global: &Global) -> Result<Exit, Trouble> {
    let now = wall_clock()?;
    // A note that nobody reads would lie there until it expires.
    let daemon = Beacon::read(&global.state)?.filter(|beacon| beacon.is_fresh(now));
    let Some(daemon) = daemon else { return Err(Trouble::NoDaemon(global.state.clone())) };
    Inbox::of(&global.state).leave(&Note::Sync(SyncRequest { sync: SyncScope::All, by: whoami(), at: now }))?;
    terminal::note(&format!("the request was sent to the daemon (pid {}), which looks within seconds", daemon.pid));
    Ok(Exit::Done)
}
