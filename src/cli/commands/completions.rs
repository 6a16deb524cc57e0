//! `landfast completions`: a completion script.

use crate::cli::args;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;

pub(super) fn run(shell: clap_complete::Shell) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "landfast", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
