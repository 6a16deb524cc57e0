//! `landfast why`: one object, explained.

use super::status::glance;
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::model::Key;
use crate::report;
use crate::store::{Record, RecordOutcome};

/// Journal records that are shown.
const RECORDS: usize = 12;

pub(super) fn run(global: &Global, object: &str) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let session = Session::start(global, Pace::Virtual)?;
    let (store, _) = session.store_for_looking()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let environments = session::choose(&loaded, Some(key.environment.as_str()))?;
    let history = store.history(Some(&key), RECORDS)?;
    let controller = session.controller(store, progress::silent());
    let looks = session.drive(&controller, glance(&controller, &loaded, &environments))??;
    let lines: Vec<String> = history.iter().rev().map(told).collect();
    let journal = history.iter().rev().zip(&lines).map(|(record, line)| (record.at, line.as_str()));
    let [looked] = looks.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let paint = terminal::paint(global);
    let text = report::why(&looked.plan, &looked.memory, &key, session.cx.now(), journal, paint)
        .map_err(|_| Trouble::NoSuchObject(object.to_owned()))?;
    terminal::print(&text)?;
    Ok(Exit::Done)
}

fn told(record: &Record) -> String {
    let how = match &record.outcome {
        RecordOutcome::Begun => "begun".to_owned(),
        RecordOutcome::Done => "done".to_owned(),
        RecordOutcome::Failed { message, .. } => format!("failed: {message}"),
        RecordOutcome::Concluded(crate::model::Conclusion::Failed(failure)) => {
            format!("the operation failed: {}: {}", failure.resource, failure.reason)
        }
        RecordOutcome::Concluded(conclusion) => format!("the operation: {conclusion:?}").to_lowercase(),
    };
    let detail = if record.detail.is_empty() { String::new() } else { format!(": {}", record.detail) };
    format!("{} {how} (revision {}){detail}", record.step, record.revision)
}
