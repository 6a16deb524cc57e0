//! What was found in an inbox and is no note, put aside: told of once, looked at by nobody again, and not too much of it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::files::{self, Access};

/// So many of the newest are kept.
const KEPT: usize = 32;

/// What is told of a thing that was put aside ends like this.
const REPORT: &str = "why";

/// Of a name that somebody else chose, so much is kept.
const NAME_MAX: usize = 80;

/// Something that was in the inbox, and was not acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// When it was found.
    pub at: Timestamp,
    /// What it was called. Whoever put it there chose that.
    pub name: String,
    /// What is wrong with it, and what to do.
    pub why: String,
}

/// Where it goes.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    directory: PathBuf,
}

impl Aside {
    /// Beside the inbox of a state directory.
    pub(super) fn of(state: &Path) -> Self {
        Self { directory: state.join("inbox-rejected") }
    }

    /// Puts away what lies at `path`, and writes down why.
    pub(super) fn put(&self, path: &Path, rejected: &Rejected) -> io::Result<()> {
        files::make_directory(&self.directory)?;
        let name = self.free(path.file_name().unwrap_or_default(), rejected.at)?;
        fs::rename(path, self.directory.join(&name))?;
        // Told of even if its report cannot be written: by the log.
        let text = serde_json::to_vec(rejected).unwrap_or_default();
        let report = self.directory.join(format!("{name}.{REPORT}"));
        let reported = files::replace(&report, &text, Access::Private);
        self.forget_old()?;
        reported
    }

    /// A name that nothing has yet, and that sorts by time.
    fn free(&self, name: &OsStr, at: Timestamp) -> io::Result<String> {
        let name: String =
            name.to_string_lossy().chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        let name: String = name.chars().take(NAME_MAX).collect();
        let stamp = at.as_millisecond().max(0);
        let free = (0..10_000).map(|number| format!("{stamp:014}-{number:04}-{name}")).find(|name| {
            let path = self.directory.join(name);
            path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        });
        free.ok_or_else(|| {
            io::Error::new(io::ErrorKind::AlreadyExists, "too many files were moved aside at the same time")
        })
    }

    fn forget_old(&self) -> io::Result<()> {
        let mut names: Vec<_> =
            fs::read_dir(&self.directory)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        names.sort_unstable();
        // Of each there are two: itself, and its report.
        let surplus = names.len().saturating_sub(2 * KEPT);
        for name in names.iter().take(surplus) {
            let path = self.directory.join(name);
            let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            if is_directory { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
        Ok(())
    }

    /// What was put aside since then, the oldest first. What cannot be read is left out: it was in the log.
    pub(super) fn since(&self, then: Timestamp) -> Vec<Rejected> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let reports = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let reports = reports.filter(|path| path.extension().is_some_and(|extension| extension == REPORT));
        let mut found: Vec<Rejected> = reports.take(2 * KEPT).filter_map(|path| report(&path)).collect();
        found.retain(|rejected| rejected.at >= then);
        found.sort_by_key(|rejected| rejected.at);
        found
    }

    /// How long `status` speaks of it.
    pub(super) const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);
}

fn report(path: &Path) -> Option<Rejected> {
    use std::io::Read as _;
    let file = files::open_unfollowed(path).ok().filter(|file| file.metadata().is_ok_and(|about| about.is_file()))?;
    let mut text = Vec::new();
    file.take(16_384).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
