//! Where text goes.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{Color, Global};
use super::exit::Trouble;
use super::wrap::wrap;
use super::{pager, stderr};
use crate::report::{Paint, safe_text};

/// A report was told to be in colour: only then are there escapes of ours in what is printed.
static PAINTED: AtomicBool = AtomicBool::new(false);

/// How to paint what goes to standard output.
pub(super) fn paint(global: &Global) -> Paint {
    let paint = Paint::when(coloured(global, io::stdout().is_terminal()));
    PAINTED.fetch_or(paint == Paint::Colour, Ordering::Relaxed);
    paint
}

fn coloured(global: &Global, terminal: bool) -> bool {
    match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            // As https://bixense.com/clicolors and https://no-color.org have it.
            let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
            !is_set("NO_COLOR") && (terminal || is_set("CLICOLOR_FORCE"))
        }
    }
}

/// How wide the terminal is that standard output goes to, if it goes to one.
fn width() -> Option<usize> {
    let (terminal_size::Width(width), _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width))
}

/// Writes data. A reader that has gone away (`landfast plan | head`) is not an error.
pub(super) fn print(text: &str) -> Result<(), Trouble> {
    write(&shown(text))
}

/// The same of a report that may be long and is printed once: on a terminal through a pager, if it is longer than that.
pub(super) fn page(global: &Global, text: &str) -> Result<(), Trouble> {
    let text = shown(text);
    if !global.no_pager && pager::page(&text) { Ok(()) } else { write(&text) }
}

/// Shows help through the pager, if it is longer than the terminal is high. Its options are not read yet.
pub(super) fn is_help_paged(help: &clap::Error) -> bool {
    let is_help = help.kind() == clap::error::ErrorKind::DisplayHelp;
    let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    let text = help.render();
    let text = if colour { text.ansi().to_string() } else { text.to_string() };
    is_help && !std::env::args_os().any(|word| word == "--no-pager") && pager::page(&text)
}

/// As a terminal may have it, and as wide as that.
fn shown(text: &str) -> Cow<'_, str> {
    let safe = safe_text(text, Paint::when(PAINTED.load(Ordering::Relaxed)));
    match width() {
        Some(width) => wrap(&safe, width).into(),
        None => safe,
    }
}

fn write(text: &str) -> Result<(), Trouble> {
    let mut out = anstream::AutoStream::always(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::machine("standard output could not be written", error))
        }
        _ => Ok(()),
    }
}

/// Writes a line for the person, beside the data. In a daemon it is an event of the log, with its time and level.
pub(super) fn note(text: &str) {
    if stderr::is_detached() {
        tracing::info!("{text}");
    } else {
        stderr::say(text);
    }
}

/// Says what ended the command, with every cause.
pub(super) fn trouble(trouble: &Trouble) {
    let mut text = trouble.to_string();
    let mut cause = trouble.source();
    while let Some(error) = cause {
        text.push_str("\n  because: ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if stderr::is_detached() {
        tracing::error!("{text}");
    } else {
        stderr::say(&format!("error: {text}"));
    }
}

/// Somebody is there to answer.
pub(super) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and returns the answer without its line end.
pub(super) fn ask(question: &str) -> Result<String, Trouble> {
    stderr::prompt(&format!("{question} "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Trouble::machine("no answer could be read", error))?;
    Ok(answer.trim().to_owned())
}
