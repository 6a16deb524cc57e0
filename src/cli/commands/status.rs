//! `landfast status`: how every object stands.

use jiff::Timestamp;

use super::person::wall_clock;
use super::plan::severity;
use crate::cli::args::{CloudKind, Global, ListOutput, Output};
use crate::cli::beacon::{self, Beacon};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::Holder;
use crate::cli::terminal;
use crate::cli::view::{EVERY, View, rendered};
use crate::report::{Paint, Status, StatusList};

pub(super) fn run(global: &Global, words: &[String], watch: bool, output: ListOutput) -> Result<Exit, Trouble> {
    let view = if watch { View::watching(global, words) } else { View::open(global, words) };
    let mut view = match view {
        // What is on disk is broken, and a daemon goes on with what it loaded before.
        Err(why @ (Trouble::Manifest(_) | Trouble::NoSuchEnvironment { .. })) => {
            let beacon = Beacon::read(&global.state)?;
            let here = global.env.as_deref();
            let Some((list, beacon)) = beacon.and_then(|beacon| Some((beacon.status(words, here).ok()?, beacon)))
            else {
                return Err(why);
            };
            let now = wall_clock()?;
            terminal::note(&format!("note: {why}; this is what the daemon saw last"));
            terminal::note(&beacon.introduce(now));
            show(global, &list, output, now)?;
            return Ok(Exit::Manifest);
        }
        view => view?,
    };
    if view.holder == Holder::Another {
        beacon::introduce(&global.state, wall_clock()?);
    }
    super::ask::show_pending(&view);
    let mut before = String::new();
    loop {
        let (list, worst) = look(&view, words)?;
        let text = render(&list, output, view.session.cx.now(), view.paint())?;
        if !watch {
            print(global, &text, output)?;
            return Ok(view.exit(worst));
        }
        if text != before {
            terminal::print(&text)?;
            before = text;
        }
        match view.session.ask(view.session.cx.sleep(EVERY)) {
            Err(Trouble::Interrupted) => return Ok(view.exit(worst)),
            slept => slept?,
        }
        view = view.again(words)?;
    }
}

/// How the objects stand that these words name, and how that ends a command.
pub(super) fn look(view: &View, words: &[String]) -> Result<(StatusList, Exit), Trouble> {
    // A simulation lives in its daemon: what is on disk is of some seconds ago.
    if view.holder == Holder::Another
        && view.session.global.cloud == CloudKind::Sim
        && let Some(list) = Beacon::read(&view.session.global.state)?
            .and_then(|beacon| beacon.status(words, view.session.global.env.as_deref()).ok())
    {
        let worst = if list.items.iter().all(Status::is_ready) { Exit::Done } else { Exit::Differs };
        return Ok((list, worst));
    }
    let mut looks = view.drive(async {
        view.reach().await?;
        view.glance().await
    })?;
    view.selection.require(looks.iter().flat_map(|looked| looked.plan.entries.keys()))?;
    for looked in &mut looks {
        looked.plan.entries.retain(|key, _| view.selection.includes(key));
    }
    let worst = looks.iter().map(|looked| Exit::of_shown(&looked.plan)).max_by_key(|exit| severity(*exit));
    let list = StatusList::of(looks.iter().map(|looked| (&looked.plan, &looked.memory)));
    Ok((list, worst.unwrap_or(Exit::Done)))
}

/// What the daemon saw last.
pub(super) fn cached(global: &Global, words: &[String], output: ListOutput) -> Result<Exit, Trouble> {
    let now = wall_clock()?;
    let beacon = Beacon::read(&global.state)?.ok_or_else(|| Trouble::NoDaemon(global.state.clone()))?;
    terminal::note(&beacon.introduce(now));
    let list = beacon.status(words, global.env.as_deref())?;
    show(global, &list, output, now)?;
    Ok(match () {
        () if !beacon.is_fresh(now) => Exit::Failed,
        () if list.items.iter().all(Status::is_ready) => Exit::Done,
        () => Exit::Differs,
    })
}

fn show(global: &Global, list: &StatusList, output: ListOutput, now: Timestamp) -> Result<(), Trouble> {
    print(global, &render(list, output, now, terminal::paint(global))?, output)
}

/// What people read may be long; what programs read is never paged.
fn print(global: &Global, text: &str, output: ListOutput) -> Result<(), Trouble> {
    match output {
        ListOutput::Text | ListOutput::Wide => terminal::page(global, text),
        ListOutput::Name | ListOutput::Json | ListOutput::Yaml => terminal::print(text),
    }
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
