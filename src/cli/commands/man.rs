//! `landfast man`: manual pages, made from the command line itself.

use std::path::Path;

use crate::cli::args;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;

pub(super) fn run(out: Option<&Path>) -> Result<Exit, Trouble> {
    let failed = |error| Trouble::machine("the manual pages could not be written", error);
    if let Some(directory) = out {
        std::fs::create_dir_all(directory).map_err(failed)?;
        clap_mangen::generate_to(args::command(), directory).map_err(failed)?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(args::command()).render(&mut page).map_err(failed)?;
        terminal::print(&String::from_utf8_lossy(&page))?;
    }
    Ok(Exit::Done)
}
