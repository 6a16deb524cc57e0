//! Approvals for a daemon that has the journal: files in a directory beside it, one each.
//!
//! The journal belongs to one process. A person's `landfast apply --plan DIGEST` is another; it leaves a note, and the
//! daemon acts on it if its own plan is the one that is named. A note that names no plan of the daemon's expires.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{Digest, EnvName};

/// How long a note waits for its plan. The daemon may be about to look; it does not wait for a plan to come back.
const EXPIRES: SignedDuration = SignedDuration::from_mins(15);

/// The largest note.
const LARGEST: u64 = 4096;

/// A person's approval of a plan, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The environment.
    pub environment: EnvName,
    /// The first digits of the plan's digest: at least twelve.
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
        names(&self.plan, plan)
    }
}

/// Whether `wanted` is enough of a digest, and of this one: the twelve digits that are shown, or more.
#[must_use]
pub fn names(wanted: &str, plan: &Digest) -> bool {
    wanted.len() >= plan.short().len() && plan.as_str().starts_with(wanted)
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
        Self { directory: state.join("approvals") }
    }

    /// Leaves a note. It is there as a whole, or not at all.
    pub fn leave(&self, approval: &Approval) -> Result<(), StoreError> {
        let failed = |source| StoreError::File { attempt: "writing", path: self.directory.clone(), source };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory).map_err(failed)?;
        let name = format!("{}-{}", approval.environment, Digest::of(approval).short());
        let draft = self.directory.join(format!("{name}.new"));
        let text = serde_json::to_vec(approval).map_err(|error| failed(error.into()))?;
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
        let Ok(entries) = fs::read_dir(&self.directory) else { return false };
        entries.flatten().any(|entry| {
            let approval = read(&entry.path()).ok().flatten();
            approval.is_some_and(|approval| approval.environment == *environment && approval.names(plan))
        })
    }

    /// Takes the approval of this plan out of the box, if it is there, and throws away what has expired.
    pub fn take(&self, environment: &EnvName, plan: &Digest, now: Timestamp) -> Result<Option<Approval>, StoreError> {
        let failed = |source| StoreError::File { attempt: "reading", path: self.directory.clone(), source };
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(failed)?,
        };
        let mut taken = None;
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match read(&path).map_err(failed)? {
                Some(approval) if approval.environment != *environment => {}
                Some(approval) if approval.names(plan) => {
                    fs::remove_file(&path).map_err(failed)?;
                    taken = Some(approval);
                }
                Some(approval) if now.duration_since(approval.at) <= EXPIRES => {}
                Some(_) | None => fs::remove_file(&path).map_err(failed)?,
            }
        }
        Ok(taken)
    }
}

/// A note; `None` if it is not one.
fn read(path: &Path) -> io::Result<Option<Approval>> {
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
        Approval { environment: "dev".parse().unwrap(), plan: plan.short().to_owned(), by: "ada".to_owned(), at }
    }

    #[test]
    fn an_approval_is_taken_once_and_only_for_the_plan_that_it_names() {
        let state = tempfile::tempdir().unwrap();
        let inbox = Inbox::of(state.path());
        let (plan, other) = (Digest::of("plan"), Digest::of("other"));
        let environment = "dev".parse().unwrap();
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(inbox.take(&environment, &plan, now).unwrap(), None);
        inbox.leave(&approval(&plan)).unwrap();
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
        inbox.leave(&approval(&plan)).unwrap();
        let environment = "dev".parse().unwrap();
        let late = "2026-01-01T00:16:00Z".parse().unwrap();
        assert_eq!(inbox.take(&environment, &other, late).unwrap(), None);
        assert_eq!(inbox.take(&environment, &plan, late).unwrap(), None);
    }

    #[test]
    fn fewer_than_twelve_digits_name_no_plan() {
        let plan = Digest::of("plan");
        assert!(names(plan.short(), &plan) && names(plan.as_str(), &plan));
        assert!(!names(&plan.as_str()[..11], &plan) && !names("", &plan));
    }
}
