//! `landfast demo`
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
pub(super) fn run(_global: &Global) -> Result<Exit, Trouble> {
    Ok(Exit::Done)
}
