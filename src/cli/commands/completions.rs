//! `landfast completions`: a completion script.

use crate::cli::exit::{Exit, Trouble};
use crate::cli::{complete, terminal};

pub(super) fn run(shell: clap_complete::Shell) -> Result<Exit, Trouble> {
    terminal::print(&complete::script(shell)?)?;
    Ok(Exit::Done)
}
