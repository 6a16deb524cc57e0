//! Puts the files of an environment where they belong: all of them, or none.
//!
//! They are written into a directory beside the environment's, which is then renamed. What was there before is put aside
//! and not deleted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use crate::cli::exit::{Exit, Trouble};
use crate::cli::session;
use crate::files;
use crate::manifest;
use crate::model::{FileContent, Revision, Snapshot};

/// Files by their path in the environment's directory.
pub(super) type Files = BTreeMap<String, Arc<str>>;

/// Puts all files where they belong, at once. Says where those are that were there before.
pub(super) fn put(place: &Path, written: &Files) -> io::Result<Option<PathBuf>> {
    let above = place.parent().unwrap_or(place);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(above)?;
    // Under a name that nobody can have prepared. One that begins with a dot is not read as manifests.
    let made = tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(".new").tempdir_in(above)?;
    let draft = made.path().join(name.as_ref());
    let wrote = written.iter().try_for_each(|(file, text)| {
        let path = draft.join(file);
        files::make_directory(path.parent().unwrap_or(&draft))?;
        files::replace(&path, text.as_bytes(), files::Access::Private)
    });
    wrote.and_then(|()| {
        let before = place.exists().then(|| aside(above, &name)).transpose()?;
        if let Some(before) = &before {
            fs::rename(place, before)?;
        }
        fs::rename(&draft, place)?;
        Ok(before)
    })
}

/// A name that nothing has yet.
fn aside(above: &Path, name: &str) -> io::Result<PathBuf> {
    let free = (1..1_000).map(|number| above.join(format!(".{name}.before-{number}"))).find(|path| !path.exists());
    free.ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, "too many backups of previous files exist"))
}

/// Reads what was written as `validate` would: what is wrong with it is better said now.
pub(super) fn check(written: &Files) -> Result<Exit, Trouble> {
    let files = written.iter().map(|(path, text)| (path.clone(), FileContent::Bytes(Arc::from(text.as_bytes()))));
    let snapshot = Snapshot::new("written", files.collect(), None);
    let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: None };
    let loaded = manifest::load(&snapshot, revision);
    session::show_diagnostics(&loaded.diagnostics);
    if session::errors(&loaded.diagnostics) > 0 {
        return Err(Trouble::Manifest("the new manifests have the errors above: fix them by hand".to_owned()));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect()
    }

    #[test]
    fn files_are_put_there_together_and_what_was_there_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("environments/dev");
        assert_eq!(put(&place, &some(&[("a/b", "1"), ("c", "2")])).unwrap(), None);
        assert_eq!(fs::read_to_string(place.join("a/b")).unwrap(), "1");
        fs::write(place.join("mine"), "kept").unwrap();
        let before = put(&place, &some(&[("c", "3")])).unwrap().unwrap();
        assert_eq!(fs::read_to_string(place.join("c")).unwrap(), "3");
        assert!(!place.join("a").exists());
        assert_eq!(fs::read_to_string(before.join("mine")).unwrap(), "kept");
        assert!(before.file_name().unwrap().to_string_lossy().starts_with('.'), "it would be read as manifests");
        put(&place, &some(&[("c", "4")])).unwrap().unwrap();
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 3);
    }

    #[test]
    fn nothing_is_there_when_a_file_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("environments/dev");
        // A file where a directory would have to be.
        assert!(put(&place, &some(&[("a", "1"), ("a/b", "2")])).is_err());
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 0);
    }
}
