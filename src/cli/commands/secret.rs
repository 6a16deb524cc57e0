//! `landfast secret`: what is remembered of secrets, and what is asked of them. No value is in reach here.

use super::ask::{Asked, ask, show_pending};
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::View;
use crate::model::{Key, SecretMemory, SecretSource, Wish};
use crate::report::{clean, time};

pub(super) fn status(global: &Global, words: &[String]) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    show_pending(&view);
    for environment in view.environments() {
        let memory = view.store.memory(&environment.name)?;
        for (key, spec) in &environment.secrets {
            let source = match &spec.source {
                SecretSource::Generated(_) => "generated",
                SecretSource::Sealed(_) => "sealed",
                SecretSource::External => "external",
            };
            terminal::print(&lines(key, source, memory.objects.secrets.get(key).map(|memory| &**memory)))?;
        }
    }
    view.session.save()?;
    Ok(Exit::Done)
}

fn lines(key: &Key, source: &str, memory: Option<&SecretMemory>) -> String {
    let mut lines = vec![format!("{key} ({source})")];
    match memory.and_then(|memory| memory.applied.as_ref()) {
        None => lines.push("  no known version".to_owned()),
        Some(applied) => {
            let made = applied.made.map(|made| format!(", created {}", time(made))).unwrap_or_default();
            lines.push(format!("  current: {}{made}", applied.version));
            let names = applied.fields.keys().filter(|name| !name.is_empty());
            let names: Vec<String> = names.map(|name| clean(name)).collect();
            if !names.is_empty() {
                lines.push(format!("  fields: {}", names.join(", ")));
            }
        }
    }
    if let Some(rotation) = memory.and_then(|memory| memory.rotation.as_ref()) {
        let end = match (rotation.promoted, rotation.failed) {
            (true, _) => "current",
            (false, true) => "failed",
            (false, false) => "pending",
        };
        lines.push(format!("  rotation due {}: {end}", time(rotation.due)));
    }
    if let Some(failed) = memory.and_then(|memory| memory.rotation_failed.as_ref()) {
        let times = if failed.count == 1 { "once".to_owned() } else { format!("{} times", failed.count) };
        let (at, reason) = (time(failed.last), clean(&failed.failure.reason));
        lines.push(format!("  rotation failed {times}, last {at}: {reason}"));
    }
    if let Some(asked) = memory.and_then(|memory| memory.rotation_asked) {
        lines.push(format!("  rotation requested {}", time(asked)));
    }
    for (service, versions) in memory.into_iter().flat_map(|memory| &memory.restarts) {
        let count = versions.len();
        lines.push(format!("  {service} has {count} version{} to deploy", if count == 1 { "" } else { "s" }));
    }
    lines.join("\n") + "\n"
}

pub(super) fn rotate(global: &Global, object: &str) -> Result<Exit, Trouble> {
    if let (Key { environment, .. }, Asked::Granted(_)) = ask(global, object, Wish::Rotate)? {
        terminal::note(&format!("requested; `landfast apply {environment}` regenerates its fields"));
    }
    Ok(Exit::Done)
}
