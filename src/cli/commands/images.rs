//! `landfast images`, `landfast rollback` and `landfast quarantine`: what services run, and what people say of it.

use std::fmt::Write as _;

use super::ask::{Asked, ask};
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::controller::Looked;
use crate::model::{Action, Granted, Kind, Wish};
use crate::report::{ImageList, clean, time};

pub(super) fn run(global: &Global, words: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    let (all, looks) = view.drive(async { Ok((view.reach().await?, view.glance().await?)) })?;
    let seen = view.environments().iter().zip(&looks);
    let list = ImageList::of(
        seen.map(|(environment, looked)| (&**environment, &looked.observation, &looked.memory, &looked.plan)),
    );
    show(output, &list, |list| list.text(view.paint()))?;
    let unknown = |looked: &Looked| {
        looked.plan.entries.iter().any(|(key, entry)| key.kind == Kind::Service && entry.action == Action::Unknown)
    };
    Ok(view.exit(if all && !looks.iter().any(unknown) { Exit::Done } else { Exit::Failed }))
}

/// Pins a proven release until Git moves the service's manifest.
pub(super) fn rollback(global: &Global, object: &str, to: Option<&str>) -> Result<Exit, Trouble> {
    let asked = ask(global, object, Wish::Rollback { to: to.map(str::to_owned) })?;
    if let (key, Asked::Granted(Granted::Pin(pin))) = asked {
        let (back, environment) = (pin.names(), &key.environment);
        terminal::print(&format!(
            "{key} will be rolled back to {back}, and stays there until its manifest changes in Git.\nTo apply it now: landfast \
             apply {environment}\n"
        ))?;
    }
    Ok(Exit::Done)
}

/// Prints the images that have failed.
pub(super) fn quarantined(global: &Global, words: &[String]) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    let mut text = String::new();
    for environment in view.environments() {
        for (key, memory) in &view.store.memory(&environment.name)?.objects.services {
            for (digest, bad) in &memory.quarantine {
                let tag = bad.tag.as_deref().unwrap_or("-");
                let (tag, why, at) = (clean(tag), clean(&bad.why), time(bad.at));
                let _ = writeln!(text, "{key}  {tag}  {digest}  since {at}: {why}");
            }
        }
    }
    terminal::print(if text.is_empty() { "No image is in quarantine.\n" } else { &text })?;
    Ok(Exit::Done)
}

/// Lets an image be tried again.
pub(super) fn release(global: &Global, object: &str, image: &str) -> Result<Exit, Trouble> {
    let asked = ask(global, object, Wish::Release { image: image.to_owned() })?.1;
    if let Asked::Granted(Granted::Release(digest)) = asked {
        terminal::print(&format!("{digest} can be deployed again.\n"))?;
    }
    Ok(Exit::Done)
}
