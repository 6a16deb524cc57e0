//! `landfast seal`: a secret's value, encrypted to a file that may be committed.

use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::files;
use crate::manifest::{RECIPIENTS_RECORD, recipients_record};
use crate::model::{Redacted, VALUE_MAX};
use crate::ports::seal;

pub(super) fn run(file: &Path, recipients: &[String]) -> Result<Exit, Trouble> {
    let value = read(io::stdin().lock())?;
    let doing = || format!("{} could not be sealed", file.display());
    let sealed = seal(&value, recipients).map_err(|error| Trouble::machine(doing(), error))?;
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
    Ok(Exit::Done)
}

/// All of the input. One line end at its end is the terminal's, or the editor's, and not part of the value.
fn read(input: impl io::Read) -> Result<Redacted, Trouble> {
    let doing = "the value could not be read from standard input";
    // Room for all there may be, so that it is never moved while it is read.
    let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_MAX + 2));
    let limit = VALUE_MAX as u64 + 2;
    input.take(limit).read_to_end(&mut bytes).map_err(|error| Trouble::machine(doing, error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Trouble::machine(doing, "it is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(Trouble::machine(doing, "there is nothing"));
    }
    Ok(Redacted::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_the_value() {
        assert_eq!(read(&b"canary\n"[..]).unwrap().expose(), "canary");
        assert_eq!(read(&b"a\nb\r\n"[..]).unwrap().expose(), "a\nb");
        assert!(read(&b"\n"[..]).is_err());
    }
}
