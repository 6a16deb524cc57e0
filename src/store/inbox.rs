//! Notes for a daemon that has the journal: files in a directory beside it, one each.
//!
//! The journal belongs to one process. A person's `landfast apply --plan DIGEST`, `rollback`, `quarantine release` or
//! `secret rotate` is another; it leaves a note, and the daemon takes it. An approval is acted on if the daemon's own plan
//! is the one that is named, and expires; a request is carried out, or declined, at the daemon's next look.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{Digest, EnvName, Request};

/// How long an approval waits for its plan. The daemon may be about to look; it does not wait for a plan to come back.
const EXPIRES: SignedDuration = SignedDuration::from_mins(15);

/// How long a note lies about for an environment that nobody tends.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(48);

/// The largest note.
const LARGEST: u64 = 4096;

/// A person's approval of a plan, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The environment.
    pub environment: EnvName,
    /// The code of the plan's digest.
    pub plan: String,
    /// Who approved.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Approval {
    /// Whether it names the plan with this digest.
    #[must_use]
    pub fn names(&self, plan: &Digest) -> bool {
        plan.is_named(&self.plan)
    }
}

/// What one process leaves for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Note {
    /// The approval of a plan.
    Approval(Approval),
    /// Something that is asked of an object.
    Request(Request),
}

impl Note {
    fn environment(&self) -> &EnvName {
        match self {
            Self::Approval(approval) => &approval.environment,
            Self::Request(request) => &request.key.environment,
        }
    }

    fn at(&self) -> Timestamp {
        match self {
            Self::Approval(approval) => approval.at,
            Self::Request(request) => request.at,
        }
    }

    /// The name of its file.
    fn name(&self) -> String {
        format!("{}-{}", self.environment(), Digest::of(self).short())
    }
}

/// The directory of notes.
#[derive(Clone, Debug)]
pub struct Inbox {
    directory: PathBuf,
}

impl Inbox {
    /// The inbox of a state directory.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { directory: state.join("inbox") }
    }

    /// Leaves a note. It is there as a whole, or not at all.
    pub fn leave(&self, note: &Note) -> Result<(), StoreError> {
        let failed = |source| StoreError::File { attempt: "writing", path: self.directory.clone(), source };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory).map_err(failed)?;
        let name = note.name();
        let draft = self.directory.join(format!("{name}.new"));
        let text = serde_json::to_vec(note).map_err(|error| failed(error.into()))?;
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.write(true).create(true).truncate(true).open(&draft).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&draft, self.directory.join(format!("{name}.json"))).map_err(failed)
    }

    /// Whether there is an approval of this plan. What cannot be read counts as none: taking it will say why.
    #[must_use]
    pub fn holds(&self, environment: &EnvName, plan: &Digest) -> bool {
        let notes = self.notes().unwrap_or_default();
        notes.iter().any(|(_, note)| match note {
            Some(Note::Approval(approval)) => approval.environment == *environment && approval.names(plan),
            Some(Note::Request(_)) | None => false,
        })
    }

    /// Takes the approval of this plan out of the box, if it is there, and throws away what has expired.
    pub fn take(&self, environment: &EnvName, plan: &Digest, now: Timestamp) -> Result<Option<Approval>, StoreError> {
        let mut taken = None;
        for (path, note) in self.notes()? {
            let age = note.as_ref().map(|note| now.duration_since(note.at()));
            match note {
                Some(note) if note.environment() != environment && age.is_some_and(|age| age <= FORGOTTEN) => {}
                Some(Note::Request(request)) if request.key.environment == *environment => {}
                Some(Note::Approval(approval)) if approval.environment == *environment && approval.names(plan) => {
                    Self::throw_away(&path)?;
                    taken = Some(approval);
                }
                Some(Note::Approval(_)) if age.is_some_and(|age| age <= EXPIRES) => {}
                Some(_) | None => Self::throw_away(&path)?,
            }
        }
        Ok(taken)
    }

    /// What is asked in an environment, the oldest first. It stays until it is [removed](Self::remove).
    pub fn requests(&self, environment: &EnvName) -> Result<Vec<Request>, StoreError> {
        let notes = self.notes()?.into_iter().filter_map(|(_, note)| note);
        let requests = notes.filter_map(|note| match note {
            Note::Request(request) if request.key.environment == *environment => Some(request),
            Note::Request(_) | Note::Approval(_) => None,
        });
        let mut requests: Vec<Request> = requests.collect();
        requests.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        Ok(requests)
    }

    /// Throws a request away that was taken.
    pub fn remove(&self, request: &Request) -> Result<(), StoreError> {
        Self::throw_away(&self.directory.join(format!("{}.json", Note::Request(request.clone()).name())))
    }

    fn throw_away(path: &Path) -> Result<(), StoreError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.map_err(|source| StoreError::File { attempt: "removing", path: path.to_owned(), source })
            }
        }
    }

    /// Every note, by its file; `None` for a file that is none.
    fn notes(&self) -> Result<Vec<(PathBuf, Option<Note>)>, StoreError> {
        let failed = |source| StoreError::File { attempt: "reading", path: self.directory.clone(), source };
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut notes = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match read(&path) {
                    // Somebody else has taken it in between.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    note => notes.push((path, note.map_err(failed)?)),
                }
            }
        }
        Ok(notes)
    }
}

/// A note; `None` if it is not one.
fn read(path: &Path) -> io::Result<Option<Note>> {
    if fs::metadata(path)?.len() > LARGEST {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&fs::read(path)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(plan: &Digest) -> Approval {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        Approval { environment: "dev".parse().unwrap(), plan: plan.code(), by: "ada".to_owned(), at }
    }

    #[test]
    fn an_approval_is_taken_once_and_only_for_the_plan_that_it_names() {
        let state = tempfile::tempdir().unwrap();
        let inbox = Inbox::of(state.path());
        let (plan, other) = (Digest::of("plan"), Digest::of("other"));
        let environment = "dev".parse().unwrap();
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(inbox.take(&environment, &plan, now).unwrap(), None);
        inbox.leave(&Note::Approval(approval(&plan))).unwrap();
        assert_eq!(inbox.take(&environment, &other, now).unwrap(), None);
        assert_eq!(inbox.take(&"prod".parse().unwrap(), &plan, now).unwrap(), None);
        assert_eq!(inbox.take(&environment, &plan, now).unwrap(), Some(approval(&plan)));
        assert_eq!(inbox.take(&environment, &plan, now).unwrap(), None);
    }

    #[test]
    fn an_approval_of_a_plan_that_never_comes_expires() {
        let state = tempfile::tempdir().unwrap();
        let inbox = Inbox::of(state.path());
        let (plan, other) = (Digest::of("plan"), Digest::of("other"));
        inbox.leave(&Note::Approval(approval(&plan))).unwrap();
        let environment = "dev".parse().unwrap();
        let late = "2026-01-01T00:16:00Z".parse().unwrap();
        assert_eq!(inbox.take(&environment, &other, late).unwrap(), None);
        assert_eq!(inbox.take(&environment, &plan, late).unwrap(), None);
    }

    #[test]
    fn requests_stay_until_they_are_removed_and_come_in_the_order_in_which_they_were_made() {
        let state = tempfile::tempdir().unwrap();
        let inbox = Inbox::of(state.path());
        let environment: EnvName = "dev".parse().unwrap();
        let request = |id: &str, at: &str| Request {
            id: id.to_owned(),
            key: "dev/secret/app".parse().unwrap(),
            wish: crate::model::Wish::Rotate,
            by: "ada".to_owned(),
            at: at.parse().unwrap(),
        };
        let (late, early) = (request("a", "2026-01-01T00:00:01Z"), request("b", "2026-01-01T00:00:00Z"));
        for one in [&late, &early] {
            inbox.leave(&Note::Request(one.clone())).unwrap();
        }
        let plan = Digest::of("plan");
        inbox.leave(&Note::Approval(approval(&plan))).unwrap();
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(inbox.take(&environment, &Digest::of("other"), now).unwrap(), None);
        assert_eq!(inbox.requests(&environment).unwrap(), [early.clone(), late.clone()]);
        assert_eq!(inbox.requests(&"prod".parse().unwrap()).unwrap(), []);
        inbox.remove(&early).unwrap();
        inbox.remove(&early).unwrap();
        assert_eq!(inbox.requests(&environment).unwrap(), [late]);
        assert!(inbox.take(&environment, &plan, now).unwrap().is_some());
    }
}
