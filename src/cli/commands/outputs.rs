//! `landfast outputs`: stack outputs.

use std::fmt::Write as _;

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::model::{Key, Seen, StackState};
use crate::report::{OutputList, clean};

pub(super) fn run(
    global: &Global,
    words: &[String],
    key: Option<&str>,
    raw: bool,
    output: Output,
) -> Result<Exit, Trouble> {
    let view = View::open(global, words)?;
    let looks = view.drive(async {
        view.reach().await?;
        view.glance().await
    })?;
    let mut stacks: Vec<(&Key, &StackState)> = Vec::new();
    let mut unseen = Vec::new();
    let mut meant = Vec::new();
    for (environment, looked) in view.environments().iter().zip(&looks) {
        for (key, spec) in environment.stacks.iter().filter(|(key, _)| view.selection.includes(key)) {
            meant.push(key);
            match looked.observation.stack(&spec.address()) {
                Seen::Present(stack) => stacks.push((key, &stack.state)),
                Seen::Absent => {}
                Seen::Unknown(why) => unseen.push(format!("{key}: {}", clean(&why.to_string()))),
            }
        }
    }
    view.selection.require(meant)?;
    // Whoever feeds them to a program must not get some of them.
    if !unseen.is_empty() {
        return Err(Trouble::Unreachable(unseen.join("\n  ")));
    }
    let mut list = OutputList::of(stacks);
    if let Some(key) = key {
        let known = list.keys();
        list = list.only(key);
        if list.items.is_empty() {
            return Err(Trouble::NoSuchOutput { name: key.to_owned(), known });
        }
    }
    if raw {
        let values = list.items.iter().flat_map(|stack| &stack.outputs);
        let mut text = String::new();
        for output in values {
            let _ = writeln!(text, "{}", output.value);
        }
        terminal::print(&text)?;
    } else {
        show(output, &list, |list| list.text(view.paint()))?;
    }
    Ok(view.exit(Exit::Done))
}
