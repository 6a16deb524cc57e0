//! Reads and loads the manifests: where what others wrote comes in. A bug that it finds there ends this load, and nothing
//! else; and however long it takes, a daemon goes on meanwhile and can be stopped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::exit::Trouble;
use super::manifests::Manifests;
pub(super) use super::manifests::{Against, Known, Read};
use crate::manifest::Loaded;
use crate::model::Gap;
use crate::source::UnderWay;

/// For the thread that loads: what is nested is read by functions that call themselves.
const STACK: usize = 16 << 20;

/// Loads the manifests, as a revision that has no place in a journal yet.
pub(super) fn load(manifests: &Manifests, against: &Against) -> Result<Read, Trouble> {
    changed(manifests, None, against).and_then(|loaded| loaded.ok_or_else(|| failed("nothing was loaded")))
}

/// The same; `None` if it is what is `known`.
fn changed(manifests: &Manifests, known: Option<&Known>, against: &Against) -> Result<Option<Read>, Trouble> {
    let work = || manifests.load(known, against);
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(failed(&said(&*panic))))
}

/// The same on a thread of its own, which nobody waits for when the process is told to stop.
pub(super) async fn changed_apart(
    manifests: Manifests,
    known: Option<Known>,
    against: Against,
) -> Result<Option<Read>, Trouble> {
    apart(move || changed(&manifests, known.as_ref(), &against)).await?
}

/// Does this on a thread of its own: what blocks holds up nobody, and a bug in it ends nothing else.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = move || drop(sender.send(catch_unwind(AssertUnwindSafe(work))));
    let thread = std::thread::Builder::new().name("apart".to_owned()).stack_size(STACK);
    thread.spawn(work).map_err(|error| Trouble::machine("no thread could be started", error))?;
    let done = receiver.await.map_err(|_| failed("the thread has ended"))?;
    done.map_err(|panic| failed(&said(&*panic)))
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
        let manifests = Manifests::in_directory(directory.path().to_owned(), None);
        let changed = |known: &Known| super::changed(&manifests, Some(known), &Against::default()).unwrap();
        let (loaded, _) = load(&manifests, &Against::default()).unwrap();
        let content = loaded.desired.revision.content.clone();
        let known = (content.clone(), None);
        assert!(changed(&known).is_none());
        let other = (content, Some("abc".to_owned()));
        assert!(changed(&other).is_some(), "of another commit");
        std::fs::write(directory.path().join("a.yaml"), "a: c\n").unwrap();
        assert!(changed(&known).is_some());
    }

    #[test]
    fn a_panic_is_an_error_that_says_what_it_was() {
        let panic = catch_unwind(|| panic!("at {}", 3)).unwrap_err();
        assert_eq!(said(&*panic), "at 3");
        assert!(std::error::Error::source(&failed("at 3")).is_some());
    }
}
