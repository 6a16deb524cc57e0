//! `landfast freeze`, `landfast thaw` and `landfast queue`.
//!
//! Whoever has the journal writes a freeze into it. Beside a daemon it is left as a note, which the daemon obeys before
//! anything else begins: it looks for such notes where it writes down that a step begins.

use jiff::{SignedDuration, Timestamp};

use super::ask::unique;
use super::desk::Desk;
use super::person::reason;
use crate::cli::args::{FreezeArgs, Global, Output, ThawArgs};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::view::{View, show};
use crate::cli::{select, terminal};
use crate::model::{Action, Freeze, FreezeScope};
use crate::plan::{is_open_at, opens_at};
use crate::report::{QueueList, WindowState, clean, time};
use crate::store::{HoldOrder, Note};

/// Freezes.
pub(super) fn freeze(global: &Global, asked: &FreezeArgs) -> Result<Exit, Trouble> {
    let because = reason(&asked.because).map_err(Trouble::Freeze)?;
    let session = Session::start(global, Pace::Virtual)?;
    let scopes = scopes(global, &asked.scopes)?;
    check(&session, &scopes)?;
    let desk = Desk::open(&session)?;
    let until = until(asked, desk.now)?;
    for scope in scopes {
        let freeze = Freeze {
            id: unique()?.chars().take(8).collect(),
            scope,
            by: desk.by.clone(),
            because: because.to_owned(),
            at: desk.now,
            until,
            after: 0,
            thawed: None,
        };
        let id = freeze.id.clone();
        let ends =
            until.map_or_else(|| format!("until `landfast thaw {id}`"), |until| format!("until {}", time(until)));
        let scope = freeze.scope.clone();
        give(&desk, HoldOrder::Freeze(Box::new(freeze)), |freezes| freezes.iter().any(|freeze| freeze.id == id))?;
        terminal::print(&format!(
            "{scope} is frozen {ends} (freeze {id}). What has begun goes on; nothing new begins.\n"
        ))?;
    }
    Ok(Exit::Done)
}

/// Thaws.
pub(super) fn thaw(global: &Global, asked: &ThawArgs) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    let desk = Desk::open(&session)?;
    let known = match &desk.store {
        Some(store) => store.freezes(),
        None => session.store_for_watching()?.0.freezes(),
    };
    let frozen: Vec<Freeze> = known.iter().filter(|freeze| freeze.is_active(desk.now)).cloned().collect();
    let mut meant: Vec<Freeze> = Vec::new();
    if asked.all {
        meant.clone_from(&frozen);
    } else {
        for word in words(global, &asked.freezes) {
            let scope = select::freeze_scope(&word).ok();
            let is_it = |freeze: &&Freeze| freeze.id == word || scope.as_ref() == Some(&freeze.scope);
            let found: Vec<Freeze> = frozen.iter().filter(is_it).cloned().collect();
            if found.is_empty() {
                let known = frozen.iter().map(|freeze| format!("{} ({})", freeze.id, freeze.scope)).collect();
                return Err(Trouble::NoSuchFreeze { name: word, known });
            }
            meant.extend(found);
        }
    }
    if meant.is_empty() {
        terminal::print("Nothing is frozen.\n")?;
        return Ok(Exit::Done);
    }
    let ids: Vec<String> = meant.iter().map(|freeze| freeze.id.clone()).collect();
    let order = HoldOrder::Thaw { freezes: ids.clone(), by: desk.by.clone(), at: desk.now };
    let over = |freeze: &Freeze| !ids.contains(&freeze.id) || !freeze.is_active(desk.now);
    give(&desk, order, |freezes| freezes.iter().all(over))?;
    for freeze in &meant {
        terminal::print(&format!("Thawed: {} (freeze {} by {})\n", freeze.scope, freeze.id, clean(&freeze.by)))?;
    }
    for freeze in frozen.iter().filter(|freeze| !ids.contains(&freeze.id)) {
        let (scope, by, because) = (&freeze.scope, clean(&freeze.by), clean(&freeze.because));
        terminal::note(&format!("note: {scope} is still frozen by {by} because {because} (freeze {})", freeze.id));
    }
    Ok(Exit::Done)
}

/// Shows what is held.
pub(super) fn queue(global: &Global, targets: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::open(global, targets)?;
    let (all, looks) = view.drive(async { Ok((view.reach().await?, view.glance().await?)) })?;
    let now = view.session.cx.now();
    let freezes = view.store.freezes();
    let windows = view.environments().iter().filter(|environment| !environment.windows.is_empty());
    let windows = windows.map(|environment| WindowState {
        environment: environment.name.to_string(),
        open: is_open_at(&environment.windows, now),
        opens: opens_at(&environment.windows, now),
    });
    let list = QueueList::of(
        freezes.iter().filter(|freeze| freeze.is_active(now)),
        windows.collect(),
        looks.iter().map(|looked| &looked.plan),
        |key| view.selection.includes(key),
    );
    show(output, &list, |list| list.text(view.paint()))?;
    let mut entries = looks.iter().flat_map(|looked| looked.plan.entries.values());
    let unknown = entries.any(|entry| entry.action == Action::Unknown);
    Ok(view.exit(if all && !unknown { Exit::Done } else { Exit::Failed }))
}

/// Gives an order. Where another process has the journal, it is left there, and waited for until the freezes are as they
/// should be.
fn give(desk: &Desk<'_>, order: HoldOrder, obeyed: impl Fn(&[Freeze]) -> bool) -> Result<(), Trouble> {
    match &desk.store {
        Some(store) => Ok(store.order(order).map(drop)?),
        None => desk.leave(&Note::Hold(order), |store| obeyed(&store.freezes())),
    }
}

/// What a command is about, where nothing is named: the environment of `--env`, or everything.
fn words(global: &Global, given: &[String]) -> Vec<String> {
    if given.is_empty() {
        return vec![global.env.clone().unwrap_or_else(|| FreezeScope::everything().to_string())];
    }
    given.to_vec()
}

fn scopes(global: &Global, given: &[String]) -> Result<Vec<FreezeScope>, Trouble> {
    words(global, given).iter().map(|word| select::freeze_scope(word).map_err(Trouble::Address)).collect()
}

/// A freeze of something that is not there would hold nothing. During an incident the manifests may not be readable: then
/// what was named is taken at its word.
fn check(session: &Session, scopes: &[FreezeScope]) -> Result<(), Trouble> {
    let Ok(loaded) = session::load_unrecorded(&session.manifests, &session.operator) else {
        terminal::note(
            "note: the manifests could not be read, so it was not checked whether they contain what is frozen",
        );
        return Ok(());
    };
    for scope in scopes {
        select::require_frozen(scope, &loaded)?;
    }
    Ok(())
}

/// When the freeze ends by itself.
fn until(asked: &FreezeArgs, now: Timestamp) -> Result<Option<Timestamp>, Trouble> {
    let until = match (asked.lasts, asked.until) {
        (Some(lasts), _) => {
            let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
            Some(now.checked_add(lasts).map_err(|_| Trouble::Freeze("--for is too long".to_owned()))?)
        }
        (None, until) => until,
    };
    if until.is_some_and(|until| until <= now) {
        return Err(Trouble::Freeze("--until is in the past".to_owned()));
    }
    Ok(until)
}
