//! `landfast why`: one object, explained.

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::View;
use crate::cli::{select, terminal};
use crate::report;
use crate::store::{Record, RecordOutcome};

/// Journal records that are shown.
const RECORDS: usize = 12;

pub(super) fn run(global: &Global, object: &str) -> Result<Exit, Trouble> {
    let (view, key) = View::of_object(global, object)?;
    let history = view.store.history(Some(&key), RECORDS)?;
    let looks = view.drive(view.glance())?;
    let lines: Vec<String> = history.iter().rev().map(told).collect();
    let journal = history.iter().rev().zip(&lines).map(|(record, line)| (record.at, line.as_str()));
    let missing = || Trouble::no_such_object(object, select::objects(&view.loaded));
    let [looked] = looks.as_slice() else { return Err(missing()) };
    let text = report::why(&looked.plan, &looked.memory, &key, view.session.cx.now(), journal, view.paint())
        .map_err(|_| missing())?;
    terminal::page(global, &text)?;
    Ok(view.exit(Exit::Done))
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
