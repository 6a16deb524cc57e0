//! `landfast adopt`: manifests for what already runs.
//!
//! Files are written all or none: into a directory beside the environment's, which is then renamed. What was there
//! before is never written over without being asked, and even then it is put aside and not deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adopt::{Ask, Which, Written, summary, write};
use crate::cli::args::{AdoptArgs, Global};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{place, terminal};
use crate::files;
use crate::manifest;
use crate::model::{EnvName, FileContent, InvalidName, Revision, Scope, Snapshot};
use crate::observe::survey;

/// Where environments are, below the root.
const ENVIRONMENTS: &str = "environments";

pub(super) fn run(global: &Global, args: AdoptArgs) -> Result<Exit, Trouble> {
    let ask = asked(&args)?;
    let root = args.out.unwrap_or_else(|| place::root(global));
    let place = root.join(ENVIRONMENTS).join(ask.environment.as_str());
    // Said before minutes are spent on reading.
    if place.exists() && !args.force {
        return Err(Trouble::Exists(place.display().to_string()));
    }
    let session = Session::start(global, Pace::Virtual)?;
    let governor = session.governor();
    let seen = session.ask(survey(&governor, &ask))?;
    let written = write(&seen, &ask);
    if written.is_partial() && !args.partial {
        let missing = written.left.iter().filter(|left| left.partial);
        let missing: Vec<String> = missing.map(|left| format!("  {}: {}", left.what, left.why)).collect();
        return Err(Trouble::Partial(missing.join("\n")));
    }
    if written.counts.get("stacks").copied().unwrap_or(0) == 0 {
        let left = written.left.iter().map(|left| format!("\n  {}: {}", left.what, left.why));
        return Err(Trouble::NothingToAdopt(left.collect()));
    }
    let before = put(&place, &written)
        .map_err(|error| Trouble::machine(format!("{} could not be written", place.display()), error))?;
    let arguments = if root == place::root(global) {
        global.manifests.as_ref().map_or_else(String::new, |root| format!(" --manifests {}", root.display()))
    } else {
        format!(" --manifests {}", root.display())
    };
    terminal::print(&summary(&written, &ask, &place.display().to_string(), &arguments))?;
    if let Some(before) = before {
        terminal::note(&format!("note: what was there before is in {}", before.display()));
    }
    check(&written)
}

/// What was asked for, each part of it well formed.
fn asked(args: &AdoptArgs) -> Result<Ask, Trouble> {
    let environment: EnvName = args.environment.parse().map_err(Trouble::Address)?;
    let short = (2..=10).contains(&environment.as_str().len());
    if !short || !environment.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        let rule = "the name of an environment: 2 to 10 lowercase letters and digits";
        return Err(Trouble::Address(InvalidName::new(environment.as_str(), rule)));
    }
    let system = args.system.as_deref();
    let legal = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !text.is_empty();
    if let Some(system) = system.filter(|system| !legal(system)) {
        return Err(Trouble::Address(InvalidName::new(system, "the name of a system: letters, digits and hyphens")));
    }
    let names = args.stack.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(Trouble::Address)?;
    let which =
        if args.all { Which::All { prefix: args.prefix.clone().unwrap_or_default() } } else { Which::Named(names) };
    Ok(Ask {
        environment,
        scope: Scope {
            account: args.account.parse().map_err(Trouble::Address)?,
            region: args.region.parse().map_err(Trouble::Address)?,
        },
        role: args.role.as_deref().map(str::parse).transpose().map_err(Trouble::Address)?,
        system: args.system.clone(),
        which,
    })
}

/// Puts all files where they belong, at once. Says where those are that were there before.
fn put(place: &Path, written: &Written) -> io::Result<Option<PathBuf>> {
    let above = place.parent().unwrap_or(place);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(above)?;
    // Under a name that nobody can have prepared. One that begins with a dot is not read as manifests.
    let made = tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(".new").tempdir_in(above)?;
    let draft = made.path().join(name.as_ref());
    let wrote = written.files.iter().try_for_each(|(file, text)| {
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
    free.ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, "there are too many of what was there before"))
}

/// Reads what was written as `validate` would: what is wrong with it is better said now.
fn check(written: &Written) -> Result<Exit, Trouble> {
    let files = written.files.iter().map(|(path, text)| (path.clone(), FileContent::Bytes(Arc::from(text.as_bytes()))));
    let snapshot = Snapshot::new("adopted", files.collect(), None);
    let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: None };
    let loaded = manifest::load(&snapshot, revision);
    session::show_diagnostics(&loaded.diagnostics);
    if session::errors(&loaded.diagnostics) > 0 {
        return Err(Trouble::Manifest("what was written has the errors above: mend them by hand".to_owned()));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(files: &[(&str, &str)]) -> Written {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
        Written { files, ..Written::default() }
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
