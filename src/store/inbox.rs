//! Notes for a daemon that has the journal: files in a directory beside it, one each.
//!
//! The journal belongs to one process. A person's `landfast apply --plan DIGEST`, `rollback`, `quarantine release` or
//! `secret rotate` is another; it leaves a note, and the daemon takes it. An approval is acted on if the daemon's own plan
//! is the one that is named, and expires; a request is carried out, or declined, at the daemon's next look.
//!
//! Whoever can write into the directory can put anything there, so nothing that lies there can end or stop a daemon: what
//! is no [note](check) is [put aside](aside), told of once, and not looked at again.

mod aside;
mod check;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use self::aside::Aside;
pub use self::aside::Rejected;
use self::check::Wrong;
use super::StoreError;
use super::note::{Approval, Note, SyncRequest};
use super::order::HoldOrder;
use crate::files::{self, ROOT};
use crate::model::{Digest, EnvName, Request, Submission};

/// More entries than this are not looked at in one go: people leave a few notes a day.
const MOST: usize = 256;

/// What is not finished after so long never will be: whoever wrote it is dead.
const UNFINISHED: Duration = Duration::from_mins(15);

/// The directory of notes. Clones are one inbox.
#[derive(Clone, Debug)]
pub struct Inbox {
    directory: PathBuf,
    aside: Aside,
    /// What can be neither believed nor put aside, and was told of: which file it was.
    stuck: Arc<Mutex<BTreeMap<PathBuf, Which>>>,
}

/// Which file was found under a name, and in which state.
type Which = Option<(u64, i64, i64)>;

/// All that lies in an inbox.
#[derive(Debug, Default)]
struct Found {
    notes: Vec<(PathBuf, Note)>,
    wrong: Vec<(PathBuf, Wrong)>,
}

impl Inbox {
    /// The inbox of a state directory.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { directory: state.join("inbox"), aside: Aside::of(state), stuck: Arc::default() }
    }

    /// Makes the directory, so that it is the reader's own whoever leaves the first note.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn prepare(&self) -> Result<(), StoreError> {
        files::make_directory(&self.directory).map_err(|source| self.failed("creating")(source))
    }

    /// Leaves a note. It is there as a whole, or not at all.
    ///
    /// # Errors
    /// It could not be written.
    pub fn leave(&self, note: &Note) -> Result<(), StoreError> {
        self.prepare()?;
        let text = serde_json::to_vec(note).map_err(|error| self.failed("writing")(error.into()))?;
        let name = note.file_name();
        self.write(&name, note, &text).map_err(self.failed("writing"))
    }

    fn write(&self, name: &str, note: &Note, text: &[u8]) -> io::Result<()> {
        let mut draft = tempfile::Builder::new().prefix(".note-").suffix(".new").tempfile_in(&self.directory)?;
        draft.write_all(text)?;
        let others = self.directory.metadata()?.uid() != files::user();
        if others && files::user() == ROOT {
            // The daemon is another user, and has to read it. Nobody else comes into its directory.
            draft.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        // What it says of itself and what its file says are the same moment, whichever clock that is of.
        let at = note
            .at()
            .as_second()
            .try_into()
            .map_or(SystemTime::UNIX_EPOCH, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        draft.as_file().set_modified(at)?;
        draft.as_file().sync_all()?;
        draft.persist(self.directory.join(name)).map_err(|error| error.error)?;
        if let Ok(directory) = File::open(&self.directory) {
            directory.sync_all()?;
        }
        Ok(())
    }

    /// Whether there is an approval of this plan.
    #[must_use]
    pub fn holds(&self, environment: &EnvName, plan: &Digest, now: Timestamp) -> bool {
        let found = self.look(now);
        found.notes.iter().any(|(_, note)| approves(note, environment, plan).is_some())
    }

    /// Takes the approval of this plan out of the box, if it is there. One that cannot be taken out is not acted on: it
    /// would be acted on again.
    #[must_use]
    pub fn take(&self, environment: &EnvName, plan: &Digest, now: Timestamp) -> Option<Approval> {
        let mut taken = None;
        for (path, note) in self.look(now).notes {
            let Some(approval) = approves(&note, environment, plan) else { continue };
            if self.throw_away(&path) {
                taken = Some(approval.clone());
            }
        }
        taken
    }

    /// Takes the wishes for a look out of the box.
    #[must_use]
    pub fn take_syncs(&self, now: Timestamp) -> Vec<SyncRequest> {
        let mut taken = Vec::new();
        for (path, note) in self.look(now).notes {
            if let Note::Sync(sync) = note
                && self.throw_away(&path)
            {
                taken.push(sync);
            }
        }
        taken
    }

    /// What is asked in an environment, the oldest first. It stays until it is [removed](Self::remove).
    #[must_use]
    pub fn requests(&self, environment: &EnvName, now: Timestamp) -> Vec<Request> {
        let requests = self.look(now).notes.into_iter().filter_map(|(_, note)| match note {
            Note::Request(request) if request.key.environment == *environment => Some(request),
            _ => None,
        });
        let mut requests: Vec<Request> = requests.collect();
        requests.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        requests
    }

    /// The orders to freeze and to thaw, the oldest first. Each stays until it is [taken](Self::taken).
    pub(super) fn orders(&self, now: Timestamp) -> Vec<(PathBuf, HoldOrder)> {
        let mut notes = self.look(now).notes;
        notes.retain(|(_, note)| matches!(note, Note::Hold(_)));
        notes.sort_by_key(|(_, note)| note.at());
        let orders = notes.into_iter().filter_map(|(path, note)| match note {
            Note::Hold(order) => Some((path, order)),
            _ => None,
        });
        orders.collect()
    }

    /// What is said of plans, the oldest first. Each stays until it is [taken](Self::taken).
    pub(super) fn submissions(&self, now: Timestamp) -> Vec<(PathBuf, Submission)> {
        let found = self.look(now).notes.into_iter().filter_map(|(path, note)| match note {
            Note::Review(submission) => Some((path, submission)),
            _ => None,
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(_, submission)| submission.statement.at);
        found
    }

    /// Whether something is said of plans.
    #[must_use]
    pub fn has_reviews(&self, now: Timestamp) -> bool {
        !self.submissions(now).is_empty()
    }

    /// Throws an order away that was carried out. One that cannot be thrown away is not found again.
    pub(super) fn taken(&self, path: &Path) {
        self.throw_away(path);
    }

    /// Whether there is an order to freeze or to thaw.
    #[must_use]
    pub fn has_orders(&self, now: Timestamp) -> bool {
        !self.orders(now).is_empty()
    }

    /// Throws a request away that was taken. One that cannot be thrown away is not found again.
    pub fn remove(&self, request: &Request, now: Timestamp) {
        for (path, note) in self.look(now).notes {
            if matches!(&note, Note::Request(found) if found.id == request.id) {
                self.throw_away(&path);
            }
        }
    }

    /// Puts aside what is no note, or no longer good for anything, and says what that was: once of each.
    #[must_use]
    pub fn sweep(&self, now: Timestamp) -> Vec<Rejected> {
        let mut rejected = Vec::new();
        for (path, wrong) in self.look(now).wrong {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut told = Rejected { at: now, name, why: wrong.to_string() };
            let is_entry = path != self.directory;
            if let Some(error) = is_entry.then(|| self.aside.put(&path, &told).err()).flatten() {
                told.why = format!("{}; it could not be moved aside: {error}", told.why);
            }
            // If it is gone, this is forgotten with the next look.
            self.ignore(&path);
            rejected.push(told);
        }
        rejected
    }

    /// What was put aside lately.
    #[must_use]
    pub fn rejected(&self, now: Timestamp) -> Vec<Rejected> {
        self.aside.since(now.saturating_sub(Aside::TOLD_FOR).unwrap_or(Timestamp::MIN))
    }

    fn throw_away(&self, path: &Path) -> bool {
        match fs::remove_file(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                tracing::error!(note = %path.display(), %error, "a request file cannot be removed; ignoring it");
                self.ignore(path);
                false
            }
        }
    }

    fn ignore(&self, path: &Path) {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), which(path));
    }

    /// All that lies there, but what was told of and could not be put aside.
    fn look(&self, now: Timestamp) -> Found {
        let mut found = Found::default();
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.retain(|path, known| known.is_some() && which(path) == *known);
        if stuck.contains_key(&self.directory) {
            return found;
        }
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(wrong) => {
                found.wrong.push((self.directory.clone(), wrong));
                return found;
            }
        };
        // Those beyond have their turn when these are gone.
        let paths = entries.filter(|path| !stuck.contains_key(path)).take(MOST);
        let mut paths: Vec<PathBuf> = paths.collect();
        paths.sort_unstable();
        for path in paths {
            match self.entry(&path, now) {
                Ok(note) => found.notes.extend(note.map(|note| (path, note))),
                Err(wrong) => found.wrong.push((path, wrong)),
            }
        }
        found
    }

    fn entry(&self, path: &Path, now: Timestamp) -> Result<Option<Note>, Wrong> {
        let unfinished = path.extension().is_some_and(|extension| extension == "new");
        if unfinished && path.symlink_metadata().is_ok_and(|about| about.is_file()) {
            if is_older(path, UNFINISHED) {
                self.throw_away(path);
            }
            return Ok(None);
        }
        check::note(path, now)
    }

    /// What lies there.
    fn entries(&self) -> Result<impl Iterator<Item = PathBuf>, Wrong> {
        let read = match self.directory.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            _ => {
                check::directory(&self.directory)?;
                Some(fs::read_dir(&self.directory).map_err(Wrong::Unreadable)?)
            }
        };
        Ok(read.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())))
    }

    fn failed(&self, attempt: &'static str) -> impl Fn(io::Error) -> StoreError + use<> {
        let path = self.directory.clone();
        move |source| StoreError::File { attempt, path: path.clone(), source }
    }
}

/// The approval, if it is one of this plan.
fn approves<'n>(note: &'n Note, environment: &EnvName, plan: &Digest) -> Option<&'n Approval> {
    match note {
        Note::Approval(approval) if approval.environment == *environment && approval.names(plan) => Some(approval),
        _ => None,
    }
}

/// Which file there is at a path; `None` if there is none.
fn which(path: &Path) -> Which {
    let about = path.symlink_metadata().ok()?;
    Some((about.ino(), about.ctime(), about.ctime_nsec()))
}

/// By the clock that files are dated by.
#[expect(clippy::disallowed_methods, reason = "when a file was made is by the file system's clock")]
fn is_older(path: &Path, age: Duration) -> bool {
    let modified = path.symlink_metadata().and_then(|about| about.modified()).ok();
    modified.and_then(|modified| SystemTime::now().duration_since(modified).ok()).is_some_and(|since| since > age)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod forgeries;
