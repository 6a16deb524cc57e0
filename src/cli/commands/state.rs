//! `landfast state`: the journal, checked and exported. Neither changes it.

use serde::Serialize;

use crate::cli::args::{Global, StateCommand};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{Pace, Session};
use crate::cli::terminal;
use crate::report::{API_VERSION, time, to_json};
use crate::store::{Access, Export};

/// What `state export` writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    export: Export,
}

pub(super) fn run(global: &Global, command: StateCommand) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    let (access, path) = session.journal_access();
    if access == Access::Missing {
        return Err(Trouble::NoJournal(path));
    }
    // A copy, read as a whole: its checksums are verified on the way.
    let (store, holder) = session.store_for_looking()?;
    holder.mention();
    let export = store.export()?;
    match command {
        StateCommand::Check => {
            let first = export.journal.last().map_or_else(|| "-".to_owned(), |record| time(record.at));
            let last = export.journal.first().map_or_else(|| "-".to_owned(), |record| time(record.at));
            let held = if access == Access::Held { "in use by another process" } else { "not in use" };
            terminal::print(&format!(
                "{}: OK, {held}\n  journal: {} records, {first} to {last}\n  memory: {} objects\n  freezes: {}\n",
                path.display(),
                export.journal.len(),
                export.common.len().max(export.objects.len()),
                store.freezes().iter().filter(|freeze| freeze.is_active(session.cx.now())).count(),
            ))?;
        }
        StateCommand::Export => {
            let document = Document { api_version: API_VERSION, kind: "State", export };
            let text = to_json(&document);
            terminal::print(&text.map_err(|error| Trouble::machine("the export could not be written", error))?)?;
        }
    }
    Ok(Exit::Done)
}
