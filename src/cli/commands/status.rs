//! `landfast status`: how every object stands.

use std::time::Duration;

use super::plan::severity;
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::Pace;
use crate::cli::terminal;
use crate::cli::view::{View, rendered};
use crate::report::StatusList;

/// How often `status -w` looks.
const EVERY: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, environment: Option<&str>, watch: bool, output: Output) -> Result<Exit, Trouble> {
    let pace = if watch { Pace::Real(1.0) } else { Pace::Virtual };
    let view = View::at(pace, global, environment)?;
    super::ask::show_pending(&view);
    view.drive(async {
        let mut before = String::new();
        if !watch {
            view.reach().await?;
        }
        loop {
            let looks = view.glance().await?;
            let list = StatusList::of(looks.iter().map(|looked| (&looked.plan, &looked.memory)));
            let text = rendered(output, &list, |list| list.text(view.session.cx.now(), view.paint()))?;
            if text != before {
                terminal::print(&text)?;
                before = text;
            }
            let worst = looks.iter().map(|looked| Exit::of_shown(&looked.plan)).max_by_key(|exit| severity(*exit));
            if !watch || view.controller.is_stopping() {
                return Ok(worst.unwrap_or(Exit::Done));
            }
            let mut stopped = std::pin::pin!(view.controller.board.changed());
            stopped.as_mut().enable();
            tokio::select! {
                biased;
                () = stopped => {}
                () = view.session.cx.sleep(EVERY) => {}
            }
        }
    })
}
