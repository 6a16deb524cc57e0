//! `landfast why`: one object, explained.

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::View;
use crate::model::Key;
use crate::report;
use crate::store::{Record, RecordOutcome};

/// Journal records that are shown.
const RECORDS: usize = 12;

pub(super) fn run(global: &Global, object: &str) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let view = View::open(global, Some(key.environment.as_str()))?;
    let history = view.store.history(Some(&key), RECORDS)?;
    let looks = view.drive(view.glance())?;
    let lines: Vec<String> = history.iter().rev().map(told).collect();
    let journal = history.iter().rev().zip(&lines).map(|(record, line)| (record.at, line.as_str()));
    let [looked] = looks.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let text = report::why(&looked.plan, &looked.memory, &key, view.session.cx.now(), journal, view.paint())
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
    format!("{} {how} (revision {})", record.step, record.revision)
}
