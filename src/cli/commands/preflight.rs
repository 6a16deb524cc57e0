//! `landfast preflight`: whether accounts are ready for what the manifests ask.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::queue;
use crate::cli::view::{View, show};
use crate::controller::ReportPlace;
use crate::model::Met;
use crate::report::PreflightList;

pub(super) fn run(global: &Global, words: &[String], reports: &[ReportPlace], output: Output) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    let (all, items, events) = view.drive(async {
        let all = view.reach().await?;
        let mut items = Vec::new();
        for environment in view.environments() {
            items.extend(view.controller.preflight(&view.loaded.desired, environment, reports).await?);
        }
        Ok((all, items, queue::preflight(&view.session).await))
    })?;
    let list = PreflightList::of(items).with_events(events);
    show(output, &list, |list| list.text(view.paint()))?;
    Ok(view.exit(match list.worst() {
        Met::Ok | Met::Unknown if all => Exit::Done,
        Met::Ok | Met::Unknown | Met::Missing => Exit::Failed,
    }))
}
