//! `landfast images`, `landfast rollback` and `landfast quarantine`: what services run, and what people say of it.

use std::fmt::Write as _;

use super::apply::whoami;
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::model::{ImageDigest, Key, Pin, ServiceMemory, ServiceSpec};
use crate::report::{ImageList, clean, time};
use crate::store::{Record, RecordOutcome, Store};

pub(super) fn run(global: &Global, environment: Option<&str>, output: Output) -> Result<Exit, Trouble> {
    let view = View::open(global, environment)?;
    let looks = view.drive(view.glance())?;
    let seen = view.environments.iter().zip(&looks);
    let list = ImageList::of(seen.map(|(environment, looked)| (&**environment, &looked.observation, &looked.memory)));
    show(output, &list, |list| list.text(view.paint()))?;
    Ok(Exit::Done)
}

/// Pins a proven release until Git moves the service's manifest.
pub(super) fn rollback(global: &Global, object: &str, to: Option<&str>) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let session = Session::start(global, Pace::Virtual)?;
    let store = session.store()?;
    let spec = service(&session, &store, &key)?;
    let memory = remembered(&store, &key)?;
    let current = crate::model::digests(&memory.decisions);
    let mut releases = memory.releases.iter();
    let release = match to {
        None => releases.find(|release| release.digests() != current),
        Some(to) => releases.find(|release| {
            release
                .images
                .values()
                .any(|image| image.tag.as_deref() == Some(to) || image.digest.as_str().starts_with(to))
        }),
    };
    let Some(release) = release else {
        let known =
            memory.releases.iter().map(|release| names(release.images.values().map(crate::model::Decision::name)));
        return Err(Trouble::NoSuchRelease { object: object.to_owned(), known: known.collect() });
    };
    let pin = Pin { images: release.images.clone(), spec: spec.digest.clone(), by: whoami(), at: session.cx.now() };
    let back = names(pin.images.values().map(crate::model::Decision::name));
    let record = record(&store, &key, "pin", format!("{} goes back to {back}", pin.by));
    store.update_with(&key, record, None, |memory: &mut ServiceMemory| {
        // Whoever names an image says that it is good.
        memory.quarantine.retain(|digest, _| !pin.images.values().any(|image| image.digest == *digest));
        memory.pin = Some(pin);
    })?;
    terminal::print(&format!(
        "{object} goes back to {back}, and stays there until its manifest changes in Git.\nDo it now: landfast apply {}\n",
        key.environment
    ))?;
    Ok(Exit::Done)
}

/// Prints the images that have failed.
pub(super) fn quarantined(global: &Global, environment: Option<&str>) -> Result<Exit, Trouble> {
    let view = View::open(global, environment)?;
    let mut text = String::new();
    for environment in &view.environments {
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
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let session = Session::start(global, Pace::Virtual)?;
    let store = session.store()?;
    service(&session, &store, &key)?;
    let memory = remembered(&store, &key)?;
    let named = |digest: &ImageDigest, tag: Option<&str>| tag == Some(image) || digest.as_str().starts_with(image);
    let found: Vec<ImageDigest> = memory
        .quarantine
        .iter()
        .filter(|(digest, bad)| named(digest, bad.tag.as_deref()))
        .map(|(digest, _)| digest.clone())
        .collect();
    let [digest] = found.as_slice() else {
        let known = memory.quarantine.iter().map(|(digest, bad)| bad.tag.clone().unwrap_or_else(|| digest.to_string()));
        return Err(Trouble::NoSuchRelease { object: object.to_owned(), known: known.collect() });
    };
    let record = record(&store, &key, "release", format!("{} releases {digest}", whoami()));
    store.update_with(&key, record, None, |memory: &mut ServiceMemory| {
        memory.quarantine.remove(digest);
    })?;
    terminal::print(&format!("{digest} may be tried again.\n"))?;
    Ok(Exit::Done)
}

fn names(images: impl Iterator<Item = String>) -> String {
    images.collect::<Vec<_>>().join(", ")
}

fn service(session: &Session, store: &Store, key: &Key) -> Result<std::sync::Arc<ServiceSpec>, Trouble> {
    let loaded = session::load(&session::root(&session.global), store)?;
    let environments = session::choose(&loaded, Some(key.environment.as_str()))?;
    let spec = environments.iter().find_map(|environment| environment.services.get(key).cloned());
    spec.ok_or_else(|| Trouble::NoSuchObject(key.to_string()))
}

fn remembered(store: &Store, key: &Key) -> Result<ServiceMemory, Trouble> {
    let memory = store.memory(&key.environment)?;
    Ok(memory.objects.services.get(key).map(|memory| (**memory).clone()).unwrap_or_default())
}

fn record(store: &Store, key: &Key, step: &str, detail: String) -> Record {
    let revision = store.revision().map_or(0, |revision| revision.sequence);
    Record::new(key.clone(), revision, step, RecordOutcome::Done).with_detail(detail)
}
