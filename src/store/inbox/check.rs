//! What a note has to be before it is believed.
//!
//! Whatever lies in the inbox is opened without following links and without waiting, and then the open file is asked what
//! it is and whose: its path may lead elsewhere a moment later. What a note says of itself is believed only where the
//! file says the same.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::super::note::{Note, author};
use crate::files::{self, ROOT};
use crate::sabotage::{self, Bug};

/// The largest note.
const LARGEST: u64 = 4096;

/// How far clocks may differ: a note that is younger than now by more than this is not from now.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why something in an inbox is not a note that is acted on. Whoever reads it should know what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    /// It cannot be opened or read.
    #[error("it cannot be read ({0}): send requests as root, or as the daemon's user (`sudo -u USER landfast …`)")]
    Unreadable(io::Error),
    /// Not a file.
    #[error("it is {0}, not a regular file")]
    Form(&'static str),
    /// It has other names.
    #[error("it is a hard link: the file has another name elsewhere")]
    Linked,
    /// Somebody else's.
    #[error("it was created by {0}: only the daemon's user and root can send requests")]
    Owner(String),
    /// Others may have written it.
    #[error("other users can write it (mode {0:o}), so its author is unknown")]
    Mode(u32),
    /// Too large.
    #[error("it has {0} bytes; the limit is {LARGEST}")]
    Size(u64),
    /// It is something else.
    #[error("it is not a Landfast request")]
    NotANote,
    /// A copy, or one that was written by hand.
    #[error("its name does not match its content ({0}): it was copied, renamed or edited")]
    Name(String),
    /// It came too late.
    #[error("it is from {0} and has expired: send the request again")]
    Old(Timestamp),
    /// Its time has not come.
    #[error("it is from {0}, which is in the future: check the clocks")]
    Early(Timestamp),
}

/// The directory itself: a note is worth as much as the protection of the place where it lies.
pub(super) fn directory(path: &Path) -> Result<(), Wrong> {
    let metadata = path.symlink_metadata().map_err(Wrong::Unreadable)?;
    if !metadata.is_dir() {
        return Err(Wrong::Form(files::form(&metadata)));
    }
    protected(&metadata)
}

fn protected(metadata: &Metadata) -> Result<(), Wrong> {
    if ![ROOT, files::user()].contains(&metadata.uid()) {
        return Err(Wrong::Owner(files::account(metadata.uid())));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 == 0 { Ok(()) } else { Err(Wrong::Mode(mode)) }
}

/// Reads what lies at `path`: a note by whoever owns the file. `None` if it is gone.
pub(super) fn note(path: &Path, now: Timestamp) -> Result<Option<Note>, Wrong> {
    // Where a link leads to is not even opened, and what kind of a device it would be is not asked of the device.
    let at = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(Wrong::Unreadable)?,
    };
    if !at.is_file() {
        return Err(Wrong::Form(files::form(&at)));
    }
    let file = match files::open_unfollowed(path) {
        // Somebody else has taken it in between.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Wrong::Unreadable)?,
    };
    let metadata = file.metadata().map_err(Wrong::Unreadable)?;
    if !metadata.is_file() {
        return Err(Wrong::Form(files::form(&metadata)));
    }
    if metadata.len() > LARGEST {
        return Err(Wrong::Size(metadata.len()));
    }
    let trusting = sabotage::is(Bug::TrustsNotes);
    if !trusting {
        protected(&metadata)?;
        match metadata.nlink() {
            // It was taken while we looked.
            0 => return Ok(None),
            1 => {}
            _ => return Err(Wrong::Linked),
        }
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(Wrong::Unreadable)?;
    let note: Note = serde_json::from_slice(&text).map_err(|_| Wrong::NotANote)?;
    if trusting {
        return Ok(Some(note));
    }
    let name = note.file_name();
    if path.file_name().is_none_or(|found| found != name.as_str()) {
        return Err(Wrong::Name(name));
    }
    dated(&note, written(&metadata), now)?;
    Ok(Some(note.by(|claimed| author(metadata.uid(), claimed))))
}

/// Both what it says of itself and what its file says have to be recent.
fn dated(note: &Note, written: Timestamp, now: Timestamp) -> Result<(), Wrong> {
    let (first, last) = (note.at().min(written), note.at().max(written));
    if now.duration_since(first) > note.lasts() {
        return Err(Wrong::Old(first));
    }
    if last.duration_since(now) > SKEW {
        return Err(Wrong::Early(last));
    }
    Ok(())
}

fn written(metadata: &Metadata) -> Timestamp {
    Timestamp::from_second(metadata.mtime()).unwrap_or(Timestamp::MIN)
}
