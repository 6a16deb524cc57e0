//! `landfast doctor`: what ails the stacks, and what would cure them.

use super::ask::{Asked, ask};
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::model::Wish;
use crate::report::{DoctorReport, Examination, Health};

pub(super) fn run(global: &Global, words: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::of_running_environments(global, words)?;
    let items = view.drive(async {
        view.reach().await?;
        let mut items = Vec::new();
        for environment in view.environments() {
            let found = view.controller.examine(&view.loaded.desired, environment).await?;
            let examination = Examination::of(&environment.name, found.stacks, found.diagnoses, found.unknown);
            items.push(Examination { left_tables: found.left, ..examination });
        }
        Ok(items)
    })?;
    let report = DoctorReport::of(items);
    show(output, &report, |report| report.text(view.paint()))?;
    Ok(view.exit(match report.health() {
        Health::Well => Exit::Done,
        Health::Ailing => Exit::Differs,
        Health::Undecided => Exit::Waiting,
        Health::Unknown => Exit::Failed,
    }))
}

/// A person says that what a rollback left out is as the stack's template says.
pub(super) fn in_step(global: &Global, object: &str) -> Result<Exit, Trouble> {
    if let (key, Asked::Granted(_)) = ask(global, object, Wish::InStep)? {
        terminal::note(&format!(
            "confirmed: the skipped resources of {key} match its template; it is updated again from now on"
        ));
    }
    Ok(Exit::Done)
}
