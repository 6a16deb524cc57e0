//! Where text goes.

use std::error::Error;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::args::{Color, Global};
use super::exit::Trouble;
use crate::report::Paint;

/// How to paint what goes to standard output.
pub(super) fn paint(global: &Global) -> Paint {
    Paint::when(coloured(global, io::stdout().is_terminal()))
}

fn coloured(global: &Global, terminal: bool) -> bool {
    match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Writes data. A reader that has gone away (`landfast plan | head`) is not an error.
pub(super) fn print(text: &str) -> Result<(), Trouble> {
    let mut out = anstream::AutoStream::always(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::machine("standard output could not be written", error))
        }
        _ => Ok(()),
    }
}

/// Writes a line for the person, beside the data.
pub(super) fn note(text: &str) {
    // There is nowhere left to say that standard error cannot be written.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what ended the command, with every cause.
pub(super) fn trouble(trouble: &Trouble) {
    let mut text = format!("error: {trouble}");
    let mut cause = trouble.source();
    while let Some(error) = cause {
        text.push_str("\n  because: ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    note(&text);
}

/// Somebody is there to answer.
pub(super) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and returns the answer without its line end.
pub(super) fn ask(question: &str) -> Result<String, Trouble> {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question} ");
    let _ = err.flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Trouble::machine("no answer could be read", error))?;
    Ok(answer.trim().to_owned())
}
