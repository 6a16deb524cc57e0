//! `landfast destroy`: every stack of an environment, dependants first.

use super::apply::{Asking, Run, permit};
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::live::Live;
use crate::cli::reach::reach;
use crate::cli::session::{self, Pace, Session};
use crate::plan::Goal;
use crate::store::Inbox;

pub(super) fn run(
    global: &Global,
    environment: &str,
    digest: Option<&str>,
    older: Option<&str>,
) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    session.accept_older(older);
    let store = session.store()?;
    let read = session.load(&store)?;
    let (loaded, history) = &read;
    // One environment, by its whole name: no pattern deletes anything.
    let chosen = session::choose(loaded, Some(environment))?;
    session.manifests.permit(chosen.iter().map(|environment| &environment.name))?;
    permit(history, &chosen)?;
    let live = Live::default();
    let controller = session.controller(store, live.listener()).obeying(Inbox::of(&global.state));
    let approval = match digest {
        Some(digest) => Asking::Plan(digest),
        None => Asking::Asked {
            question: format!(
                "Everything above will be deleted. To continue, type the name of the environment ({environment}):"
            ),
            answer: environment.to_owned(),
        },
    };
    let [environment] = chosen.as_slice() else { return Ok(Exit::Done) };
    session.drive_unsaved(&controller, reach(&controller, &chosen))??;
    let run = Run::of(&session, &controller, &live, &read, environment, Goal::Destroy);
    run.run(&approval, Output::Text)
}
