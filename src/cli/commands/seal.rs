//! `landfast seal`: a secret's value, encrypted to a file that may be committed.

use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::{directory, operator, place, select, session, terminal};
use crate::files;
use crate::manifest::{self, Loaded, RECIPIENTS_RECORD, recipients_record};
use crate::model::{Binding, FileContent, Key, Redacted, Revision, SecretSource, SecretSpec, Snapshot, VALUE_MAX};
use crate::operator::Operator;
use crate::ports::seal_for;

pub(super) fn run(
    global: &Global,
    file: &Path,
    recipients: &[String],
    named: &[String],
    exact: bool,
) -> Result<Exit, Trouble> {
    let doing = || format!("{} could not be sealed", file.display());
    let secrets = secrets(global, file, recipients, named)?;
    let value = read(io::stdin().lock(), exact)?;
    let sealed = seal_for(&value, secrets.clone(), recipients).map_err(|error| Trouble::machine(doing(), error))?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(RECIPIENTS_RECORD);
    let beside = Path::new(&beside);
    // Between the two the record is about the file before, which is found.
    for (path, text) in [(file, &sealed), (beside, &recipients_record(&sealed, recipients))] {
        files::replace(path, text.as_bytes(), files::Access::Private)
            .map_err(|error| Trouble::machine(format!("{} could not be written", path.display()), error))?;
    }
    let count = recipients.len();
    terminal::note(&format!("{} is sealed to {count} recipient{}", file.display(), if count == 1 { "" } else { "s" }));
    for secret in &secrets {
        terminal::note(&format!("  for {secret}"));
    }
    if secrets.is_empty() {
        terminal::note(
            "  without the name of a secret, because no manifest uses this file yet: seal the value again when one \
            does, or set the secret with `--for`. Until then, the file can be opened only if the manifests have \
            exactly one environment",
        );
    }
    Ok(Exit::Done)
}

/// The secrets that a value is for: those that were named, or those whose manifests take the file.
fn secrets(global: &Global, file: &Path, recipients: &[String], named: &[String]) -> Result<Vec<Binding>, Trouble> {
    let root = place::root(global);
    let operator = operator::find(global, &root)?;
    let named = named.iter().map(|name| name.parse::<Key>().map_err(Trouble::Address));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let Some(inside) = below(&root, file).filter(|_| root.is_dir()) else {
        return named
            .first()
            .map_or(Ok(Vec::new()), |key| Err(Trouble::no_such_object(&key.to_string(), None::<&Key>)));
    };
    let loaded = loaded(&root, &inside, recipients, &operator)?;
    let takes = |spec: &SecretSpec| matches!(&spec.source, SecretSource::Sealed(sealed) if *sealed.file == *inside);
    let all = loaded.desired.environments.values().flat_map(|environment| environment.secrets.iter());
    let wanted = all.filter(|(key, spec)| if named.is_empty() { takes(spec) } else { named.contains(*key) });
    let found: Vec<(&Key, Binding)> = wanted
        .map(|(key, spec)| (key, Binding { environment: key.environment.clone(), secret: spec.address() }))
        .collect();
    let missing = named.iter().find(|key| found.iter().all(|(found, _)| found != key));
    if !loaded.broken.is_empty() && (found.is_empty() || missing.is_some()) {
        session::show_diagnostics(&loaded.diagnostics);
        return Err(Trouble::Manifest("the secret of this file is unknown".to_owned()));
    }
    match missing {
        Some(key) => Err(Trouble::no_such_object(&key.to_string(), select::objects(&loaded))),
        None => Ok(found.into_iter().map(|(_, binding)| binding).collect()),
    }
}

/// The path of the file as the manifests have it, if it is among them.
fn below(root: &Path, file: &Path) -> Option<String> {
    let root = std::fs::canonicalize(root).ok()?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let file = std::fs::canonicalize(parent).ok()?.join(file.file_name()?);
    let inside = file.strip_prefix(root).ok()?;
    Some(inside.to_str()?.replace(std::path::MAIN_SEPARATOR, "/"))
}

/// The manifests as they will be once the file is there: what stands in for it is sealed, and is nothing.
fn loaded(root: &Path, inside: &str, recipients: &[String], operator: &Operator) -> Result<Loaded, Trouble> {
    let snapshot = directory::read(root)?;
    let doing = || "the value could not be sealed";
    let nothing = Redacted::new(String::new());
    let sealed = seal_for(&nothing, Vec::new(), recipients).map_err(|error| Trouble::machine(doing(), error))?;
    let record = recipients_record(&sealed, recipients);
    let mut files = snapshot.files.clone();
    for (path, text) in [(inside.to_owned(), sealed), (format!("{inside}{RECIPIENTS_RECORD}"), record)] {
        files.insert(path, FileContent::Bytes(text.into_bytes().into()));
    }
    let snapshot = Snapshot::new(root.display().to_string(), files, snapshot.commit);
    let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: None };
    Ok(manifest::load_under(&snapshot, revision, operator))
}

/// All of the input. One line end after a single line is the shell's (`echo`), or the editor's, and not part of the value
/// unless it is asked for. A value of several lines, such as a key file, is what it is to the last byte: some programs do
/// not read a key without its last line end.
fn read(input: impl io::Read, exact: bool) -> Result<Redacted, Trouble> {
    let doing = "the value could not be read from standard input";
    // Room for all there may be, so that it is never moved while it is read.
    let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_MAX + 2));
    let limit = VALUE_MAX as u64 + 2;
    input.take(limit).read_to_end(&mut bytes).map_err(|error| Trouble::machine(doing, error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Trouble::machine(doing, "it is not UTF-8 text"))?;
    let line = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    let text = if exact || line.contains('\n') { text } else { line };
    if text.is_empty() {
        return Err(Trouble::machine(doing, "it is empty"));
    }
    Ok(Redacted::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_the_value() {
        let read = |bytes: &'static [u8], exact| read(bytes, exact).map(|value| value.expose().to_owned());
        for (given, value) in [("canary\n", "canary"), ("canary\r\n", "canary"), ("canary", "canary"), ("a b\n", "a b")]
        {
            assert_eq!(read(given.as_bytes(), false).unwrap(), value);
            assert_eq!(read(given.as_bytes(), true).unwrap(), given);
        }
        assert!(read(b"\n", false).is_err());
    }

    #[test]
    fn several_lines_are_kept_to_the_last_byte() {
        for text in
            ["-----BEGIN KEY-----\nQUJD\n-----END KEY-----\n", "a\nb\r\n", "a\r\nb\r\n", "a\nb", "a\n\n", "\n\n"]
        {
            assert_eq!(super::read(text.as_bytes(), false).unwrap().expose(), text, "{text:?}");
        }
    }
}
