//! The news that a directory changed.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::SourceError;
use crate::context::Context;

/// Changes are reported when there was none for this long: an editor or a checkout writes many files.
const QUIET: Duration = Duration::from_millis(250);
/// But no later than this after the first.
const LONGEST: Duration = Duration::from_secs(2);
/// While the directory is gone, and nothing tells when it is back, it is looked for this often.
const LOOK: Duration = Duration::from_secs(5);

/// Watches a directory and everything below it. The directory may be removed, replaced, or be a link that is turned
/// elsewhere: its parent is watched as well.
pub struct Watch {
    /// As given, but absolute: what a link at this place leads to may change.
    root: PathBuf,
    news: Arc<News>,
    /// `None` while the directory is gone.
    watcher: Option<RecommendedWatcher>,
    /// A change was seen that was not reported yet.
    pending: bool,
}

/// What the watcher's thread says.
#[derive(Default)]
struct News {
    /// Keeps one permit while nobody waits: no change is lost.
    changed: Notify,
    /// The directory itself was removed or replaced: what watches it may watch nothing any more.
    replaced: AtomicBool,
}

impl Watch {
    /// Begins to watch.
    pub fn new(root: &Path) -> Result<Self, SourceError> {
        let root =
            std::path::absolute(root).map_err(|source| SourceError::Directory { path: root.to_owned(), source })?;
        let news = Arc::new(News::default());
        let watcher = Some(arm(&root, &news)?);
        Ok(Self { root, news, watcher, pending: false })
    }

    /// Completes some time after something changed: 250 ms after the last change of many, or 2 s after the first.
    ///
    /// Dropping it loses nothing: the next call completes for the same change.
    pub async fn changed(&mut self, cx: &Context) {
        self.first(cx).await;
        self.pending = true;
        let began = cx.elapsed();
        loop {
            let left = LONGEST.saturating_sub(cx.elapsed().saturating_sub(began));
            let quiet = cx.timeout(QUIET.min(left), self.news.changed.notified()).await.is_none();
            if quiet || left.is_zero() {
                break;
            }
        }
        if self.news.replaced.swap(false, Ordering::AcqRel) {
            self.rearm();
        }
        self.pending = false;
    }

    /// Waits for the first change.
    async fn first(&mut self, cx: &Context) {
        if self.pending {
            return;
        }
        loop {
            if self.watcher.is_some() {
                return self.news.changed.notified().await;
            }
            // It was gone, so that it is there again is a change.
            if self.rearm() || cx.timeout(LOOK, self.news.changed.notified()).await.is_some() {
                return;
            }
        }
    }

    /// Watches what is at the place now. False while there is nothing.
    fn rearm(&mut self) -> bool {
        // The old one first: what it still says is about what is gone.
        self.watcher = None;
        match arm(&self.root, &self.news) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => tracing::warn!(root = %self.root.display(), %error, "the manifests cannot be watched"),
        }
        self.watcher.is_some()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("root", &self.root).finish_non_exhaustive()
    }
}

fn arm(root: &Path, news: &Arc<News>) -> Result<RecommendedWatcher, SourceError> {
    let real = root.canonicalize().map_err(|source| SourceError::Directory { path: root.to_owned(), source })?;
    let failed = |source| SourceError::Watch { path: root.to_owned(), source };
    let heard = {
        let (root, real, news) = (root.to_owned(), real.clone(), Arc::clone(news));
        move |event: notify::Result<notify::Event>| hear(&root, &real, &news, event)
    };
    let mut watcher = notify::recommended_watcher(heard).map_err(failed)?;
    if let Some(parent) = root.parent()
        && let Err(error) = watcher.watch(parent, RecursiveMode::NonRecursive)
    {
        tracing::debug!(parent = %parent.display(), %error, "only the directory itself is watched");
    }
    watcher.watch(&real, RecursiveMode::Recursive).map_err(failed)?;
    Ok(watcher)
}

/// Called on the watcher's thread.
fn hear(root: &Path, real: &Path, news: &News, event: notify::Result<notify::Event>) {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(root = %root.display(), %error, "watching the manifests failed; reading them again");
            news.replaced.store(true, Ordering::Release);
            return news.changed.notify_one();
        }
    };
    let moved = matches!(
        event.kind,
        EventKind::Remove(_) | EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)) | EventKind::Any
    );
    if moved && event.paths.iter().any(|path| path == root || path == real) {
        news.replaced.store(true, Ordering::Release);
        return news.changed.notify_one();
    }
    let counts = event.need_rescan()
        || event.paths.is_empty()
        || is_change(event.kind) && event.paths.iter().any(|path| path.strip_prefix(real).is_ok_and(is_ours));
    if counts {
        news.changed.notify_one();
    }
}

/// Whether an event is about a change. Reading the files makes events, too: to count them would never end.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

/// Whether a change at this place below the root matters. Hidden names do: they may be what links lead to, as in a
/// mounted `ConfigMap`. What Git and build tools write does not, except what says which commit is checked out.
fn is_ours(relative: &Path) -> bool {
    let mut parts = relative.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    while let Some(part) = parts.next() {
        match part {
            "target" | "node_modules" => return false,
            ".git" => {
                let locked = relative.extension().is_some_and(|extension| extension == "lock");
                return !locked && matches!(parts.next(), Some("HEAD" | "packed-refs" | "refs"));
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn cx() -> Context {
        Context::system().unwrap()
    }

    /// Whether a change is reported within a generous time.
    async fn seen(watch: &mut Watch) -> bool {
        let cx = cx();
        cx.timeout(Duration::from_secs(30), watch.changed(&cx)).await.is_some()
    }

    /// Waits until what was done so far was reported.
    async fn settle(watch: &mut Watch) {
        let cx = cx();
        while cx.timeout(Duration::from_millis(700), watch.changed(&cx)).await.is_some() {}
    }

    #[tokio::test]
    async fn changes_are_seen_also_in_new_directories_and_reading_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("manifests");
        fs::create_dir(&root).unwrap();
        let mut watch = Watch::new(&root).unwrap();
        fs::write(root.join("a.yaml"), "a").unwrap();
        assert!(seen(&mut watch).await);
        fs::create_dir(root.join("new")).unwrap();
        assert!(seen(&mut watch).await);
        fs::write(root.join("new/b.yaml"), "b").unwrap();
        assert!(seen(&mut watch).await);
        settle(&mut watch).await;
        super::super::read(&root).unwrap();
        fs::write(directory.path().join("beside"), "").unwrap();
        let cx = cx();
        assert_eq!(cx.timeout(Duration::from_millis(700), watch.changed(&cx)).await, None);
        fs::remove_file(root.join("a.yaml")).unwrap();
        assert!(seen(&mut watch).await);
    }

    #[tokio::test]
    async fn a_directory_that_is_replaced_is_watched_on() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("manifests");
        fs::create_dir(&root).unwrap();
        let mut watch = Watch::new(&root).unwrap();
        for round in 0..3 {
            fs::remove_dir_all(&root).unwrap();
            assert!(seen(&mut watch).await, "removed, round {round}");
            fs::create_dir(&root).unwrap();
            assert!(seen(&mut watch).await, "there again, round {round}");
            settle(&mut watch).await;
            fs::write(root.join("a.yaml"), "a").unwrap();
            assert!(seen(&mut watch).await, "changed, round {round}");
            let draft = directory.path().join("draft");
            fs::create_dir(&draft).unwrap();
            fs::rename(&root, directory.path().join(format!("old{round}"))).unwrap();
            fs::rename(&draft, &root).unwrap();
            assert!(seen(&mut watch).await, "replaced, round {round}");
            settle(&mut watch).await;
            fs::write(root.join("b.yaml"), "b").unwrap();
            assert!(seen(&mut watch).await, "changed after it was replaced, round {round}");
            settle(&mut watch).await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_that_is_turned_elsewhere_is_followed() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("one")).unwrap();
        fs::create_dir(at("two")).unwrap();
        symlink("one", at("current")).unwrap();
        let mut watch = Watch::new(&at("current")).unwrap();
        symlink("two", at("next")).unwrap();
        fs::rename(at("next"), at("current")).unwrap();
        assert!(seen(&mut watch).await);
        settle(&mut watch).await;
        fs::write(at("two/a.yaml"), "").unwrap();
        assert!(seen(&mut watch).await);
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_loses_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(directory.path()).unwrap();
        fs::write(directory.path().join("a.yaml"), "a").unwrap();
        let cx = cx();
        for _ in 0..10 {
            assert_eq!(cx.timeout(Duration::from_millis(20), watch.changed(&cx)).await, None);
        }
        assert!(seen(&mut watch).await);
    }

    #[test]
    fn what_is_missing_cannot_be_watched() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Watch::new(&directory.path().join("missing")), Err(SourceError::Directory { .. })));
    }

    #[test]
    fn of_git_and_build_tools_only_the_commit_matters() {
        for (path, ours) in [
            ("a/b.yaml", true),
            ("..data", true),
            (".git/HEAD", true),
            (".git/refs/heads/main", true),
            (".git/refs/heads/main.lock", false),
            (".git/index", false),
            ("target/debug/x", false),
            ("a/node_modules/x", false),
        ] {
            assert_eq!(is_ours(Path::new(path)), ours, "{path}");
        }
    }
}
