//! `landfast preflight`: whether accounts are ready for what the manifests ask.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::model::Met;
use crate::report::{PreflightList, to_json};

pub(super) fn run(global: &Global, environment: Option<&str>, output: Output) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    let (store, _) = session.store_for_looking()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let environments = session::choose(&loaded, environment)?;
    let controller = session.controller(store, progress::silent());
    let items = session.drive(&controller, async {
        let mut items = Vec::new();
        for environment in &environments {
            items.extend(controller.preflight(&loaded.desired, environment).await?);
        }
        Ok::<_, Trouble>(items)
    })??;
    let list = PreflightList::of(items);
    match output {
        Output::Text => terminal::print(&list.text(terminal::paint(global)))?,
        Output::Json => {
            let text = to_json(&list).map_err(|error| Trouble::machine("the report could not be written", error))?;
            terminal::print(&text)?;
        }
    }
    Ok(match list.worst() {
        Met::Ok | Met::Unknown => Exit::Done,
        Met::Missing => Exit::Failed,
    })
}
