//! `landfast outputs`: stack outputs.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{View, show};
use crate::model::{Key, Seen, StackState, Unknown};
use crate::ports::{Class, PortError};
use crate::report::OutputList;

pub(super) fn run(global: &Global, environment: Option<&str>, output: Output) -> Result<Exit, Trouble> {
    let view = View::open(global, environment)?;
    let looks = view.drive(view.glance())?;
    let mut stacks: Vec<(&Key, &StackState)> = Vec::new();
    for (environment, looked) in view.environments.iter().zip(&looks) {
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
    show(output, &list, |list| list.text(view.paint()))?;
    Ok(Exit::Done)
}
