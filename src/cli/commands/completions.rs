//! `landfast completions`: a completion script.

use clap::CommandFactory as _;

use crate::cli::args::Cli;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;

pub(super) fn run(shell: clap_complete::Shell) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "landfast", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
