//! `landfast graph`: what depends on what.

use crate::cli::args::{Global, GraphFormat};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::manifests::Manifests;
use crate::cli::select::Selection;
use crate::cli::{operator, place, session, terminal};
use crate::report::{Format, graph};

pub(super) fn run(global: &Global, words: &[String], format: GraphFormat) -> Result<Exit, Trouble> {
    let root = place::root(global);
    let operator = operator::find(global, &root)?;
    let loaded = session::load_unrecorded(&Manifests::of(global, &operator)?, &operator)?;
    session::show_diagnostics(&loaded.diagnostics);
    let format = match format {
        GraphFormat::Tree => Format::Tree,
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Dot => Format::Dot,
    };
    let selection = Selection::of_environments(words, global, &loaded)?;
    let graphs: Vec<String> = selection.environments.iter().map(|environment| graph(environment, format)).collect();
    terminal::print(&graphs.join("\n"))?;
    Ok(if selection.is_concerned(&loaded) { Exit::Manifest } else { Exit::Done })
}
