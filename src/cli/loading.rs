//! Reads and loads the manifests: where what others wrote comes in. A bug that it finds there ends this load, and nothing
//! else; and however long it takes, a daemon goes on meanwhile and can be stopped.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::Trouble;
use super::history::History;
use crate::manifest::{self, Loaded};
use crate::model::{Digest, EnvName, Gap, Revision, Snapshot};
use crate::operator::Operator;
use crate::source::{self, UnderWay};

/// For the thread that loads: what is nested is read by functions that call themselves.
const STACK: usize = 16 << 20;

/// Reads the manifests' files.
pub(super) fn read(root: &Path) -> Result<Snapshot, Trouble> {
    let snapshot = source::read(root).map_err(Trouble::Source)?;
    // Hidden files where manifests are read: what they describe is not gone.
    let aside = manifest::aside(&snapshot);
    if aside.is_empty() { Ok(snapshot) } else { source::read_with(root, &aside).map_err(Trouble::Source) }
}

/// What the manifests are held against.
#[derive(Clone, Debug, Default)]
pub(super) struct Against {
    /// What the operator allows.
    pub(super) operator: Operator,
    /// What each environment follows.
    pub(super) accepted: BTreeMap<EnvName, Revision>,
    /// The older commit that a person accepts.
    pub(super) named: Option<String>,
}

/// The manifests, and how they stand to what was accepted.
pub(super) type Read = (Loaded, History);

/// Loads the manifests, as a revision that has no place in a journal yet.
pub(super) fn load(root: &Path, against: Against) -> Result<Read, Trouble> {
    changed(root, None, against).and_then(|loaded| loaded.ok_or_else(|| failed("nothing was loaded")))
}

/// What was read: the files, and the commit that they are of.
pub(super) type Known = (Digest, Option<String>);

/// The same; `None` if it is what is `known`.
fn changed(root: &Path, known: Option<&Known>, against: Against) -> Result<Option<Read>, Trouble> {
    let Against { operator, accepted, named } = against;
    let work = || {
        let snapshot = read(root)?;
        if known.is_some_and(|(content, commit)| *content == snapshot.content && *commit == snapshot.commit) {
            return Ok(None);
        }
        let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: snapshot.commit.clone() };
        let history = History::of(root, &revision, accepted, named.as_deref());
        let mut loaded = manifest::load_under(&snapshot, revision, &operator);
        history.mark(&mut loaded);
        Ok(Some((loaded, history)))
    };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(failed(&said(&*panic))))
}

/// The same on a thread of its own, which nobody waits for when the process is told to stop.
pub(super) async fn changed_apart(
    root: PathBuf,
    known: Option<Known>,
    against: Against,
) -> Result<Option<Read>, Trouble> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = move || drop(sender.send(changed(&root, known.as_ref(), against)));
    let thread = std::thread::Builder::new().name("manifests".to_owned()).stack_size(STACK);
    thread.spawn(work).map_err(|error| Trouble::machine("no thread could be started to load the manifests", error))?;
    receiver.await.unwrap_or_else(|_| Err(failed("the thread has ended")))
}

/// Git is in the middle of something: what is missing may be about to be written.
pub(super) fn hold(loaded: &mut Loaded, under_way: &UnderWay) {
    for environment in loaded.desired.environments.values_mut() {
        Arc::make_mut(environment).gaps.add(Gap {
            why: format!("{under_way}: its manifest may be incomplete"),
            release: "let Git finish; if it is not running, remove its leftover files".to_owned(),
            holds: None,
        });
    }
}

fn failed(why: &str) -> Trouble {
    Trouble::machine("the manifests could not be loaded; this is a bug, please report it", why.to_owned())
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_known_are_not_loaded_again() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.yaml"), "a: b\n").unwrap();
        let (loaded, _) = load(directory.path(), Against::default()).unwrap();
        let content = loaded.desired.revision.content.clone();
        let known = (content.clone(), None);
        assert!(changed(directory.path(), Some(&known), Against::default()).unwrap().is_none());
        let other = (content, Some("abc".to_owned()));
        assert!(changed(directory.path(), Some(&other), Against::default()).unwrap().is_some(), "of another commit");
        std::fs::write(directory.path().join("a.yaml"), "a: c\n").unwrap();
        assert!(changed(directory.path(), Some(&known), Against::default()).unwrap().is_some());
    }

    #[test]
    fn a_panic_is_an_error_that_says_what_it_was() {
        let panic = catch_unwind(|| panic!("at {}", 3)).unwrap_err();
        assert_eq!(said(&*panic), "at 3");
        assert!(std::error::Error::source(&failed("at 3")).is_some());
    }
}
