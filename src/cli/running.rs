//! What the daemon runs, for commands that look while the manifests are broken: that is what people are woken up for.

use std::collections::BTreeSet;

use super::beacon::Beacon;
use super::exit::Trouble;
use super::history::History;
use super::loading::Read;
use super::session::{self, Session};
use super::terminal;
use crate::manifest::Loaded;
use crate::model::{Desired, EnvName};
use crate::store::Store;

/// The manifests; and in the place of environments that are broken in them what the daemon beside us runs. Which those are.
pub(super) fn load(session: &Session, store: &Store, aloud: bool) -> Result<(Read, BTreeSet<EnvName>), Trouble> {
    let read = session.load_silently(store);
    let good = broken(&read, store).and_then(|of| {
        Beacon::read(&session.global.state).ok().flatten()?;
        session.manifests.last_good(&of, &session.against(store))
    });
    let instead: BTreeSet<EnvName> = good.iter().flat_map(|good| good.environments.keys().cloned()).collect();
    if aloud && let Some(good) = &good {
        terminal::note(&said(&read, good));
    }
    let read = match (read, good) {
        (Ok((mut loaded, history)), good) => {
            if aloud {
                session.tell(&loaded);
            }
            if let Some(good) = good {
                loaded.broken.retain(|name| !instead.contains(name));
                if loaded.desired.environments.is_empty() {
                    loaded.desired.revision = good.revision;
                }
                loaded.desired.environments.extend(good.environments);
            }
            (loaded, history)
        }
        (Err(_), Some(desired)) => {
            let history = History::nothing(desired.revision.clone());
            let (diagnostics, broken, passed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
            (Loaded { desired, diagnostics, broken, found: 0, passed, obscure: true }, history)
        }
        (Err(why), None) => return Err(why),
    };
    Ok((read, instead))
}

/// Environments that are broken, or may be: none, if there is no such thing.
fn broken(read: &Result<Read, Trouble>, store: &Store) -> Option<BTreeSet<EnvName>> {
    let known = || store.accepted().into_keys();
    let broken: BTreeSet<EnvName> = match read {
        Ok((loaded, _)) => {
            let hidden = known().filter(|name| loaded.obscure && !loaded.desired.environments.contains_key(name));
            loaded.broken.iter().cloned().chain(hidden).collect()
        }
        Err(Trouble::Source(_)) => known().collect(),
        Err(_) => BTreeSet::new(),
    };
    (!broken.is_empty()).then_some(broken)
}

fn said(read: &Result<Read, Trouble>, good: &Desired) -> String {
    let what = match read {
        Ok((loaded, _)) => {
            let count = session::errors(&loaded.diagnostics);
            format!("the manifests have {count} error{}", if count == 1 { "" } else { "s" })
        }
        Err(why) => {
            let cause = std::error::Error::source(why).map(|cause| format!(" ({cause})")).unwrap_or_default();
            format!("{why}{cause}")
        }
    };
    let names: Vec<&str> = good.environments.keys().map(EnvName::as_str).collect();
    format!("note: {what}; this is what the daemon runs of {}: revision {}", names.join(", "), good.revision)
}
