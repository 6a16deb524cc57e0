//! What people ask of one object: `secret rotate`, `rollback`, `quarantine release`. Done at once by whoever has the
//! journal; left as a note for a daemon that has it.

use crate::cli::args::Global;
use crate::cli::exit::Trouble;
use crate::cli::session::Holder;
use crate::cli::view::View;
use crate::cli::{select, terminal};
use crate::controller::answer;
use crate::model::{Declined, Digest, Granted, Key, Request, Wish};
use crate::plan::grant;
use crate::report::clean;
use crate::store::{Inbox, Note, Rejected};

use super::person::{ourselves, system, wall_clock, whoami};

/// What came of asking.
pub(super) enum Asked {
    /// It is done.
    Granted(Granted),
    /// It is left for the process that has the journal, which will grant this.
    Left(Granted),
}

/// Asks something of the object that a word names.
pub(super) fn ask(global: &Global, word: &str, wish: Wish) -> Result<(Key, Asked), Trouble> {
    let (view, key) = View::to_ask(global, word)?;
    let asked = put(&view, &key, wish)?;
    Ok((key, asked))
}

/// Asks something of an object.
pub(super) fn put(view: &View, key: &Key, wish: Wish) -> Result<Asked, Trouble> {
    let (session, store) = (&view.session, &view.store);
    let missing = || Trouble::no_such_object(&key.to_string(), select::objects(&view.loaded));
    let [environment] = view.environments() else { return Err(missing()) };
    let request = Request { id: unique()?, key: key.clone(), wish, by: ourselves(), at: session.cx.now() };
    let declined = |why| declined(view, key, why);
    match view.holder {
        Holder::Us => {
            let granted = answer(store, environment, &request, session.cx.now())?.map_err(declined)?;
            session.save()?;
            Ok(Asked::Granted(granted))
        }
        Holder::Another => {
            // Notes are dated by the wall clock, also where the cloud is a simulation that has a clock of its own.
            let request = Request { at: wall_clock()?, ..request };
            // What will be declined is said here, where somebody reads it.
            let memory = store.memory(&environment.name)?;
            let granted = grant(&request, environment, &memory, request.at).map_err(declined)?;
            Inbox::of(&session.global.state).leave(&Note::Request(Request { by: whoami(), ..request }))?;
            terminal::note(&format!(
                "the request was sent to the process that uses the state; a daemon handles it within seconds. `landfast events {key}` \
                 shows the result"
            ));
            Ok(Asked::Left(granted))
        }
    }
}

/// Says what was asked for and not taken yet, and what was left and rejected.
pub(super) fn show_pending(view: &View) {
    let inbox = Inbox::of(&view.session.global.state);
    let Ok(now) = wall_clock() else { return };
    for environment in view.environments() {
        for Request { key, wish, by, at, .. } in inbox.requests(&environment.name, now) {
            let (by, wish, at) = (clean(&by), clean(&wish.to_string()), crate::report::time(at));
            terminal::note(&format!("note: pending request for {key}: {wish} (by {by} at {at})"));
        }
    }
    for Rejected { at, name, why } in inbox.rejected(now) {
        let (at, name, why) = (crate::report::time(at), clean(&name), clean(&why));
        terminal::note(&format!("note: request {name} was rejected at {at}; nothing was done: {why}"));
    }
}

fn declined(view: &View, object: &Key, why: Declined) -> Trouble {
    match why {
        Declined::NotDesired => Trouble::no_such_object(&object.to_string(), select::objects(&view.loaded)),
        Declined::NoSuchImage(known) => Trouble::NoSuchRelease { object: object.to_string(), known },
        Declined::NotApprover(why) => Trouble::NobodyToAsk(why),
        why @ (Declined::Kind(_)
        | Declined::Restored(_)
        | Declined::RestoredInPlace(_)
        | Declined::NotGenerated
        | Declined::NotOutOfStep
        | Declined::NoDrift
        | Declined::NotPrimary
        | Declined::NoRecordSet
        | Declined::OnlyObserved
        | Declined::Frozen { .. }
        | Declined::Expired(_)) => Trouble::machine(format!("this request does not apply to {object}"), why),
    }
}

/// A request is told from every other one, whatever the clock says.
pub(super) fn unique() -> Result<String, Trouble> {
    let digest = Digest::of(&system()?.random_bytes());
    Ok(digest.as_str().get(..32).unwrap_or_default().to_owned())
}
