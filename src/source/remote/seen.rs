//! When each commit was first seen here. A commit's own dates are its author's to choose, so whether a key was still valid
//! is judged by this.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;

use super::RemoteError;
use crate::files;

/// So many are remembered; older ones were followed or replaced long ago.
const MOST: usize = 1000;
/// More than so many take.
const LARGEST: u64 = 1 << 20;

/// When a commit was first seen: `now`, if it is seen for the first time. `file` remembers.
///
/// What cannot be read any more is begun again: then the commits of today count as seen today, which is later than before
/// and so makes no key valid that has expired.
pub(super) fn first(file: &Path, commit: &str, now: Timestamp) -> Result<Timestamp, RemoteError> {
    let mut known: BTreeMap<String, Timestamp> = read(file).unwrap_or_default();
    if let Some(at) = known.get(commit) {
        return Ok(*at);
    }
    while known.len() >= MOST {
        let oldest = known.iter().min_by_key(|(_, at)| **at).map(|(commit, _)| commit.clone());
        oldest.and_then(|oldest| known.remove(&oldest));
    }
    known.insert(commit.to_owned(), now);
    let failed = |why: String| RemoteError::Disk { path: file.display().to_string(), why };
    let text = serde_json::to_vec(&known).map_err(|error| failed(error.to_string()))?;
    files::replace(file, &text, files::Access::Private).map_err(|error| failed(error.to_string()))?;
    Ok(now)
}

fn read(file: &Path) -> Option<BTreeMap<String, Timestamp>> {
    let mut text = Vec::new();
    files::open_unfollowed(file).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_seen_for_the_first_time_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("seen.json");
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        assert_eq!(first(&file, "a", at(1)).unwrap(), at(1));
        assert_eq!(first(&file, "b", at(2)).unwrap(), at(2));
        assert_eq!(first(&file, "a", at(3)).unwrap(), at(1));
        std::fs::write(&file, "damaged").unwrap();
        assert_eq!(first(&file, "a", at(4)).unwrap(), at(4));
        for number in 0..2 * MOST {
            first(&file, &number.to_string(), at(10 + i64::try_from(number).unwrap())).unwrap();
        }
        assert!(read(&file).unwrap().len() <= MOST);
    }
}
