//! `landfast destroy`: every stack of an environment, dependants first.

use super::apply::{Asking, Run};
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{place, progress};
use crate::plan::Goal;

pub(super) fn run(global: &Global, environment: &str, digest: Option<&str>) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    let store = session.store()?;
    let loaded = session::load(&place::root(global), &store, &session.operator)?;
    session::show_diagnostics(&loaded.diagnostics);
    let chosen = session::choose(&loaded, Some(environment))?;
    let controller = session.controller(store, progress::listener());
    let approval = match digest {
        Some(digest) => Asking::Plan(digest),
        None => Asking::Asked {
            question: format!(
                "Everything above is deleted. Type the name of the environment ({environment}) to go on:"
            ),
            answer: environment.to_owned(),
        },
    };
    let [environment] = chosen.as_slice() else { return Ok(Exit::Done) };
    let run = Run { session: &session, controller: &controller, loaded: &loaded, environment, goal: Goal::Destroy };
    run.run(&approval, Output::Text)
}
