//! From where a person's word enters the store: the journal itself, or the inbox of the process that has it.

use std::time::Duration;

use jiff::Timestamp;

use super::person::{ourselves, wall_clock, whoami};
use crate::cli::exit::Trouble;
use crate::cli::session::{Pace, Session};
use crate::cli::terminal;
use crate::store::{Inbox, Note, Store, StoreError};

/// How long it is waited for the process that uses the state to obey.
const WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const EVERY: Duration = Duration::from_millis(500);

/// The journal, or the inbox of the process that has it.
pub(super) struct Desk<'s> {
    pub(super) session: &'s Session,
    /// The journal, if no other process has it.
    pub(super) store: Option<Store>,
    /// What time it is for whoever has it.
    pub(super) now: Timestamp,
    /// Who asks, as whoever has it is told.
    pub(super) by: String,
}

impl<'s> Desk<'s> {
    /// The one of a session.
    pub(super) fn open(session: &'s Session) -> Result<Self, Trouble> {
        match session.store() {
            Ok(store) => Ok(Self { session, store: Some(store), now: session.cx.now(), by: ourselves() }),
            Err(Trouble::Store(StoreError::Locked { .. })) => {
                Ok(Self { session, store: None, now: wall_clock()?, by: whoami() })
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Leaves a note for the process that has the journal, and waits until it has obeyed.
    pub(super) fn leave(&self, note: &Note, obeyed: impl Fn(&Store) -> bool) -> Result<(), Trouble> {
        Inbox::of(&self.session.global.state).leave(note)?;
        let waiting = Session::start(&self.session.global, Pace::Real(1.0))?;
        let began = waiting.cx.elapsed();
        loop {
            // Read for a moment only: whoever has the state may want to write.
            if obeyed(&waiting.store_for_watching()?.0) {
                return Ok(());
            }
            if waiting.cx.elapsed().saturating_sub(began) > WITHIN {
                terminal::note(
                    "note: the process that uses the state has not confirmed it yet; it obeys before it begins another step",
                );
                return Ok(());
            }
            waiting.ask(waiting.cx.sleep(EVERY))?;
        }
    }
}
