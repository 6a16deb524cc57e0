//! `landfast status`: how every object stands.

use std::sync::Arc;
use std::time::Duration;

use super::plan::severity;
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::controller::{Controller, Looked};
use crate::manifest::Loaded;
use crate::model::Environment;
use crate::report::{StatusList, to_json};

/// How often `status -w` looks.
const EVERY: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, environment: Option<&str>, watch: bool, output: Output) -> Result<Exit, Trouble> {
    let pace = if watch { Pace::Real(1.0) } else { Pace::Virtual };
    let session = Session::start(global, pace)?;
    let (store, _) = session.store_for_looking()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let environments = session::choose(&loaded, environment)?;
    for environment in &environments {
        super::ask::show_pending(global, environment)?;
    }
    let controller = session.controller(store, progress::silent());
    session.drive(&controller, async {
        let mut before = String::new();
        loop {
            let looks = glance(&controller, &loaded, &environments).await?;
            let list = StatusList::of(looks.iter().map(|looked| (&looked.plan, &looked.memory)));
            let text = match output {
                Output::Text => list.text(session.cx.now(), terminal::paint(global)),
                Output::Json => {
                    to_json(&list).map_err(|error| Trouble::machine("the status could not be written", error))?
                }
            };
            if text != before {
                terminal::print(&text)?;
                before = text;
            }
            let worst = looks.iter().map(|looked| Exit::of_shown(&looked.plan)).max_by_key(|exit| severity(*exit));
            if !watch || controller.is_stopping() {
                return Ok(worst.unwrap_or(Exit::Done));
            }
            let mut stopped = std::pin::pin!(controller.board.changed());
            stopped.as_mut().enable();
            tokio::select! {
                biased;
                () = stopped => {}
                () = session.cx.sleep(EVERY) => {}
            }
        }
    })?
}

/// One look at each environment, which changes nothing.
pub(super) async fn glance(
    controller: &Controller,
    loaded: &Loaded,
    environments: &[Arc<Environment>],
) -> Result<Vec<Looked>, Trouble> {
    let mut looks = Vec::new();
    for environment in environments {
        looks.push(controller.glance(&loaded.desired, environment).await?);
    }
    Ok(looks)
}
