//! `landfast outputs`: stack outputs.

use super::status::glance;
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::model::{Key, Seen, StackState, Unknown};
use crate::ports::{Class, PortError};
use crate::report::{OutputList, to_json};

pub(super) fn run(global: &Global, environment: Option<&str>, output: Output) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    let (store, _) = session.store_for_looking()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let environments = session::choose(&loaded, environment)?;
    let controller = session.controller(store, progress::silent());
    let looks = session.drive(&controller, glance(&controller, &loaded, &environments))??;
    let mut stacks: Vec<(&Key, &StackState)> = Vec::new();
    for (environment, looked) in environments.iter().zip(&looks) {
        for (key, spec) in &environment.stacks {
            match looked.observation.stack(&spec.address()) {
                Seen::Present(stack) => stacks.push((key, &stack.state)),
                Seen::Absent => {}
                Seen::Unknown(Unknown(why)) => {
                    let error = PortError::new(Class::Transient, "DescribeStacks", &*why);
                    return Err(Trouble::Port(error));
                }
            }
        }
    }
    let list = OutputList::of(stacks);
    match output {
        Output::Text => terminal::print(&list.text(terminal::paint(global)))?,
        Output::Json => {
            let text = to_json(&list).map_err(|error| Trouble::machine("the outputs could not be written", error))?;
            terminal::print(&text)?;
        }
    }
    Ok(Exit::Done)
}
