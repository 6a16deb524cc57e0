//! `landfast backup`: which recovery points there are, which tables nobody backs up, and backups on request.

use super::ask::{Asked, ask, show_pending};
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::model::{Key, Wish};
use crate::report::{BackupList, CoverageList};

pub(super) fn list(global: &Global, words: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    show_pending(&view);
    let mut list = BackupList::default();
    for environment in view.environments() {
        let look = async { Ok(view.controller.recovery_points(&view.loaded.desired, environment).await?) };
        let (observation, memory, left) = view.drive(look)?;
        list.add(environment, &observation, &memory);
        list.leave(left);
    }
    show(output, &list, |list| list.text(view.paint()))?;
    view.session.save()?;
    Ok(if list.unknown.is_empty() { Exit::Done } else { Exit::Failed })
}

pub(super) fn now(global: &Global, object: &str) -> Result<Exit, Trouble> {
    if let (Key { environment, .. }, Asked::Granted(_)) = ask(global, object, Wish::BackUp)? {
        terminal::note(&format!("requested; `landfast apply {environment}` backs up its tables"));
    }
    Ok(Exit::Done)
}

pub(super) fn coverage(global: &Global, words: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    let mut list = CoverageList::default();
    for environment in view.environments() {
        let look = async { Ok(view.controller.coverage(&view.loaded.desired, environment).await?) };
        list.add(&environment.name, view.drive(look)?);
    }
    show(output, &list, |list| list.text(view.paint()))?;
    view.session.save()?;
    Ok(match (list.uncovered(), list.unknown.is_empty()) {
        (0, true) => Exit::Done,
        (0, false) => Exit::Failed,
        _ => Exit::Differs,
    })
}
