//! `landfast render`: stacks as they would be sent to CloudFormation now.

use std::collections::BTreeSet;

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{View, show};
use crate::plan::{Goal, Input, rendered};
use crate::report::RenderList;

pub(super) fn run(global: &Global, words: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::open(global, words)?;
    let looks = view.drive(view.glance())?;
    let mut stacks = Vec::new();
    for (environment, looked) in view.environments().iter().zip(&looks) {
        let input = Input {
            desired: &view.loaded.desired,
            environment,
            observation: &looked.observation,
            memory: &looked.memory,
            now: view.session.cx.now(),
            goal: Goal::Converge,
            busy: &BTreeSet::new(),
        };
        stacks.extend(rendered(&input));
    }
    stacks.retain(|stack| view.selection.includes(&stack.object));
    if stacks.is_empty() {
        return Err(Trouble::NoSuchStack(words.join(" ")));
    }
    show(output, &RenderList::of(stacks), RenderList::yaml)?;
    Ok(Exit::Done)
}
