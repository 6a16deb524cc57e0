//! `landfast status`: how every object stands.

use std::time::Duration;

use jiff::Timestamp;

use super::person::wall_clock;
use super::plan::severity;
use crate::cli::args::{CloudKind, Global, ListOutput, Output};
use crate::cli::beacon::{self, Beacon};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{Holder, Pace};
use crate::cli::terminal;
use crate::cli::view::{View, rendered};
use crate::report::{Paint, StatusList};

/// How often `status -w` looks.
const EVERY: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, words: &[String], watch: bool, output: ListOutput) -> Result<Exit, Trouble> {
    let pace = if watch { Pace::Real(1.0) } else { Pace::Virtual };
    let view = match View::at(pace, global, words) {
        // What is on disk is broken, and a daemon goes on with what it loaded before.
        Err(why @ (Trouble::Manifest(_) | Trouble::NoSuchEnvironment { .. })) => {
            let Some(list) = Beacon::read(&global.state)?.and_then(|beacon| beacon.status(words)) else {
                return Err(why);
            };
            terminal::note(&format!("note: {why}; this is what the daemon saw last"));
            beacon::introduce(&global.state, wall_clock()?);
            terminal::print(&render(&list, output, wall_clock()?, terminal::paint(global))?)?;
            return Ok(Exit::Manifest);
        }
        view => view?,
    };
    if view.holder == Holder::Another {
        let beacon = beacon::introduce(&global.state, wall_clock()?);
        // A simulation lives in its daemon, and what is on disk is of some seconds ago.
        if global.cloud == CloudKind::Sim && !watch && beacon.is_some_and(|beacon| beacon.status(words).is_some()) {
            super::ask::show_pending(&view);
            return shown(global, words, output).map(|exit| view.exit(exit));
        }
    }
    super::ask::show_pending(&view);
    view.drive(async {
        let mut before = String::new();
        if !watch {
            view.reach().await?;
        }
        loop {
            let mut looks = view.glance().await?;
            view.selection.require(looks.iter().flat_map(|looked| looked.plan.entries.keys()))?;
            for looked in &mut looks {
                looked.plan.entries.retain(|key, _| view.selection.includes(key));
            }
            let list = StatusList::of(looks.iter().map(|looked| (&looked.plan, &looked.memory)));
            let text = render(&list, output, view.session.cx.now(), view.paint())?;
            if text != before {
                terminal::print(&text)?;
                before = text;
            }
            let worst = looks.iter().map(|looked| Exit::of_shown(&looked.plan)).max_by_key(|exit| severity(*exit));
            if !watch || view.controller.is_stopping() {
                return Ok(view.exit(worst.unwrap_or(Exit::Done)));
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

/// What the daemon saw last.
pub(super) fn cached(global: &Global, output: ListOutput) -> Result<Exit, Trouble> {
    let now = wall_clock()?;
    let beacon = Beacon::read(&global.state)?.ok_or_else(|| Trouble::NoDaemon(global.state.clone()))?;
    terminal::note(&beacon.introduce(now));
    shown(global, &[], output)
}

/// The same of what these words name, without saying who it is.
fn shown(global: &Global, words: &[String], output: ListOutput) -> Result<Exit, Trouble> {
    let now = wall_clock()?;
    let no_daemon = || Trouble::NoDaemon(global.state.clone());
    let beacon = Beacon::read(&global.state)?.ok_or_else(no_daemon)?;
    let list = beacon.status(words).ok_or_else(no_daemon)?;
    terminal::print(&render(&list, output, now, terminal::paint(global))?)?;
    Ok(match () {
        () if !beacon.is_fresh(now) => Exit::Failed,
        () if list.items.iter().all(crate::report::Status::is_ready) => Exit::Done,
        () => Exit::Differs,
    })
}

fn render(list: &StatusList, output: ListOutput, now: Timestamp, paint: Paint) -> Result<String, Trouble> {
    match output {
        ListOutput::Text => Ok(list.text(now, paint)),
        ListOutput::Wide => Ok(list.wide(now, paint)),
        ListOutput::Name => Ok(list.names()),
        ListOutput::Json => rendered(Output::Json, list, |_| String::new()),
        ListOutput::Yaml => rendered(Output::Yaml, list, |_| String::new()),
    }
}
