//! `landfast drift`: how AWS differs from what was deployed.

use std::path::Path;

use super::ask::{Asked, ask};
use crate::cli::args::{DriftOutput, Global};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::View;
use crate::files;
use crate::model::{Granted, Key, Wish};
use crate::report::{DriftFormat, DriftReport, Paint};

pub(super) fn run(global: &Global, words: &[String], output: DriftOutput, out: Option<&Path>) -> Result<Exit, Trouble> {
    let view = View::of_running(global, words)?;
    let (all, found) = view.drive(async {
        let all = view.reach().await?;
        let mut found = Vec::new();
        for environment in view.environments() {
            let meant = |key: &Key| view.selection.includes(key);
            found.push(view.controller.drift(&view.loaded.desired, environment, meant).await?);
        }
        Ok((all, found))
    })?;
    let each = view.environments().iter().zip(&found);
    let each = each.map(|(environment, found)| (&**environment, found.as_slice()));
    view.selection.require(found.iter().flatten().map(|(compared, _)| &compared.object))?;
    let report = DriftReport::of(each, view.session.cx.now());
    let paint = if out.is_some() { Paint::Plain } else { view.paint() };
    let text = report.render(format(output), paint);
    let text = text.map_err(|error| Trouble::machine("the report could not be written", error))?;
    match out {
        None if output == DriftOutput::Text => terminal::page(global, &text)?,
        None => terminal::print(&text)?,
        Some(path) => {
            let doing = || format!("the report could not be written to {}", path.display());
            files::replace(path, text.as_bytes(), files::Access::Private)
                .map_err(|error| Trouble::machine(doing(), error))?;
            terminal::print(&report.render(DriftFormat::Text, view.paint()).unwrap_or_default())?;
        }
    }
    Ok(view.exit(match () {
        () if report.has_drift() => Exit::Differs,
        () if !all || report.has_unseen() => Exit::Failed,
        () => Exit::Done,
    }))
}

/// Puts back what was last found of an object.
pub(super) fn revert(global: &Global, object: &str) -> Result<Exit, Trouble> {
    if let (Key { environment, .. }, Asked::Granted(granted)) = ask(global, object, Wish::Revert)? {
        let Granted::Revert(number) = granted else { return Ok(Exit::Done) };
        terminal::note(&format!(
            "{number} will be reverted: `landfast plan {environment}` shows the changes, `landfast apply \
            {environment}` applies them"
        ));
    }
    Ok(Exit::Done)
}

fn format(output: DriftOutput) -> DriftFormat {
    match output {
        DriftOutput::Text => DriftFormat::Text,
        DriftOutput::Json => DriftFormat::Json,
        DriftOutput::Markdown => DriftFormat::Markdown,
        DriftOutput::Html => DriftFormat::Html,
        DriftOutput::Sarif => DriftFormat::Sarif,
        DriftOutput::Junit => DriftFormat::Junit,
    }
}
