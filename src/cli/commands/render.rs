//! `landfast render`: stacks as they would be sent to CloudFormation now.

use std::collections::BTreeSet;

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{View, show};
use crate::model::Key;
use crate::plan::{Goal, Input, rendered};
use crate::report::RenderList;

pub(super) fn run(global: &Global, what: &str, output: Output) -> Result<Exit, Trouble> {
    let key = if what.contains('/') { Some(what.parse::<Key>().map_err(Trouble::Address)?) } else { None };
    let environment = key.as_ref().map_or(what, |key| key.environment.as_str());
    let view = View::open(global, Some(environment))?;
    let looks = view.drive(view.glance())?;
    let mut stacks = Vec::new();
    for (environment, looked) in view.environments.iter().zip(&looks) {
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
    if let Some(key) = &key {
        stacks.retain(|stack| stack.object == *key);
        if stacks.is_empty() {
            return Err(Trouble::NoSuchStack(what.to_owned()));
        }
    }
    show(output, &RenderList::of(stacks), RenderList::yaml)?;
    Ok(Exit::Done)
}
