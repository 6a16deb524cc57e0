//! `landfast graph`: what depends on what.

use crate::cli::args::{Global, GraphFormat};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::{operator, place, session, terminal};
use crate::report::{Format, graph};

pub(super) fn run(global: &Global, environment: Option<&str>, format: GraphFormat) -> Result<Exit, Trouble> {
    let root = place::root(global);
    let loaded = session::load_unrecorded(&root, &operator::find(global, &root)?)?;
    session::show_diagnostics(&loaded.diagnostics);
    let format = match format {
        GraphFormat::Tree => Format::Tree,
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Dot => Format::Dot,
    };
    let graphs: Vec<String> =
        session::choose(&loaded, environment)?.iter().map(|environment| graph(environment, format)).collect();
    terminal::print(&graphs.join("\n"))?;
    Ok(if loaded.broken.is_empty() { Exit::Done } else { Exit::Manifest })
}
