//! `landfast notify test`: whether notifications arrive.

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{Pace, Session};
use crate::cli::{notify, terminal};
use crate::report::clean;

pub(super) fn test(global: &Global, destination: Option<&str>) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Real(1.0))?;
    let mut exit = Exit::Done;
    for (name, sent) in notify::test(&session, destination)? {
        match sent {
            Ok(()) => terminal::print(&format!("{name}: delivered\n"))?,
            Err(why) => {
                terminal::print(&format!("{name}: NOT delivered: {}\n", clean(&why.to_string())))?;
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}
