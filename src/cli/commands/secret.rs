//! `landfast secret`: what is remembered of secrets, and what is asked of them. No value is in reach here.

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::terminal;
use crate::cli::view::View;
use crate::model::{Key, Kind, SecretMemory, SecretSource};
use crate::report::{clean, time};

pub(super) fn status(global: &Global, environment: Option<&str>) -> Result<Exit, Trouble> {
    let view = View::open(global, environment)?;
    for environment in &view.environments {
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
        None => lines.push("  no version is known".to_owned()),
        Some(applied) => {
            let made = applied.made.map(|made| format!(", made {}", time(made))).unwrap_or_default();
            lines.push(format!("  current: {}{made}", applied.version));
            let names = applied.fields.keys().filter(|name| !name.is_empty());
            let names: Vec<String> = names.map(|name| clean(name)).collect();
            if !names.is_empty() {
                lines.push(format!("  fields: {}", names.join(", ")));
            }
        }
    }
    if let Some(rotation) = memory.and_then(|memory| memory.rotation.as_ref()) {
        let end = if rotation.promoted { "current" } else { "pending" };
        lines.push(format!("  rotation due {}: {end}", time(rotation.due)));
    }
    if let Some(asked) = memory.and_then(|memory| memory.rotation_asked) {
        lines.push(format!("  rotation asked for {}", time(asked)));
    }
    for (service, versions) in memory.into_iter().flat_map(|memory| &memory.restarts) {
        let count = versions.len();
        lines.push(format!("  {service} has {count} version{} to get", if count == 1 { "" } else { "s" }));
    }
    lines.join("\n") + "\n"
}

pub(super) fn rotate(global: &Global, object: &str) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Virtual)?;
    let store = session.store()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let doing = || format!("{object} cannot be rotated");
    let key: Key = object.parse().map_err(|error| Trouble::machine(doing(), error))?;
    let environments = session::choose(&loaded, Some(key.environment.as_str()))?;
    let spec = environments.first().and_then(|environment| environment.secrets.get(&key));
    let Some(spec) = spec.filter(|_| key.kind == Kind::Secret) else {
        return Err(Trouble::machine(doing(), "no manifest describes such a secret"));
    };
    if !matches!(spec.source, SecretSource::Generated(_)) {
        return Err(Trouble::machine(doing(), "its value is not generated"));
    }
    let now = session.cx.now();
    store.update(&key, |memory: &mut SecretMemory| memory.rotation_asked = Some(now))?;
    session.save()?;
    terminal::note(&format!("noted; `landfast apply {}` makes its fields anew", key.environment));
    Ok(Exit::Done)
}
