//! Files that only their owner may read, written and opened without following links; and whose they are.
//!
//! What is here is about one danger: a path that somebody else has prepared. A link in the place of a file would have us
//! write over, or read, what it leads to; a FIFO would have us wait for ever; a file of another user is that user's word
//! and not ours. So a file is written under a new random name and renamed, and what was opened is asked, not its path.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone: state, reports, manifests with values in them.
    Private,
    /// Everybody whom the umask allows: what is in every release anyway.
    Public,
}

/// Writes a file as a whole, or leaves what was there. What is at `path` must be a regular file, or nothing: a link is
/// refused, and never followed.
///
/// # Errors
/// The place is taken by something else, or the file system refuses.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    regular_or_nothing(path)?;
    let directory = directory_of(path);
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    // A name that nobody can guess, made with `O_EXCL`; removed again if anything below fails.
    let mut draft =
        tempfile::Builder::new().prefix(".landfast-").suffix(".new").permissions(mode).tempfile_in(directory)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    if access == Access::Private {
        hand_over(draft.as_file(), directory);
    }
    draft.persist(path).map(drop).map_err(|error| error.error)
}

/// The directory that a path is in.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses a place that has anything but a regular file in it.
///
/// # Errors
/// There is something else, and the text says what.
pub fn regular_or_nothing(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) => {
            let what = format!("{} is {}, and not a regular file", path.display(), form(&metadata));
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

/// What something is that is no regular file.
#[must_use]
pub fn form(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let of = metadata.file_type();
    match () {
        () if of.is_file() => "a regular file",
        () if of.is_symlink() => "a symbolic link",
        () if of.is_dir() => "a directory",
        () if of.is_fifo() => "a FIFO",
        () if of.is_socket() => "a socket",
        () => "a device",
    }
}

/// Opens what is at a path for reading: not what a link there leads to, and without waiting for a FIFO's other end.
///
/// # Errors
/// It cannot be opened; a link counts as that.
pub fn open_unfollowed(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Options for files that only their owner may read, and that are no links.
#[must_use]
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed());
    options
}

/// Makes a directory that only its owner may enter, and those above it. What was there before stays as it is.
///
/// # Errors
/// The file system refuses.
pub fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.ancestors().skip(1).find(|above| above.is_dir()).map(Path::to_owned);
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if let Some(above) = above
        && let Ok(made) = open_unfollowed(path)
    {
        hand_over(&made, &above);
    }
    Ok(())
}

/// What root makes in somebody else's directory is theirs: otherwise a daemon of theirs could not open its own state.
///
/// That it is not possible (on a file system without owners, say) is no reason to fail: then it is not needed either, or
/// whoever comes next is told that a file cannot be opened.
pub fn hand_over(made: &File, directory: &Path) {
    if user() != ROOT {
        return;
    }
    if let Ok(above) = directory.metadata()
        && above.uid() != ROOT
    {
        let _ = std::os::unix::fs::fchown(made, Some(above.uid()), Some(above.gid()));
    }
}

/// The user that may do anything.
pub const ROOT: u32 = 0;

/// The user that this process acts as.
#[must_use]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What the system calls a user: the name of the account, or `uid 1000` where it has none.
#[must_use]
pub fn account(user: u32) -> String {
    let known = uzers::get_user_by_uid(user);
    known.map_or_else(|| format!("uid {user}"), |user| user.name().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_written_for_its_owner_alone_and_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes(), Access::Private).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_link_is_refused_and_what_it_leads_to_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let (victim, link) = (directory.path().join("victim"), directory.path().join("link"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        let refused = replace(&link, b"ours", Access::Private).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
        assert!(open_unfollowed(&link).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        let refused = replace(directory.path(), b"ours", Access::Public).unwrap_err();
        assert!(refused.to_string().contains("a directory"), "{refused}");
    }

    #[test]
    fn a_fifo_is_opened_without_waiting_for_its_other_end() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let opened = open_unfollowed(&fifo).unwrap();
        assert_eq!(form(&opened.metadata().unwrap()), "a FIFO");
    }

    #[test]
    fn a_user_without_an_account_has_a_number() {
        assert_eq!(account(ROOT), "root");
        assert_eq!(account(3_999_999_999), "uid 3999999999");
    }
}
