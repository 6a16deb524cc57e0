//! Standard error: the one writer of logs, progress and notes.
//!
//! A command writes as everything does, and waits for whoever reads. The daemon must not: a reader that stands still would
//! stop it, SIGTERM included, and one that has gone must not end it. So it hands its lines to a thread, drops what that
//! cannot take, and [counts](lost) what was dropped or could not be written.
//!
//! `tracing-appender` does the first half, and not the second: it does not say what could not be written, its end waits for
//! a reader that stands still and then prints to standard output, which panics where that is gone too.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::args::LogFormat;
use super::exit::Trouble;
use crate::report::{Paint, safe_json, safe_line, safe_text};

/// Lines that wait for a slow reader: some minutes of the busiest log, and a few megabytes.
const BUFFERED: usize = 8_192;

/// How long the end of the program waits for what was said last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often it is looked whether they are written.
const LOOK: Duration = Duration::from_millis(10);

/// Only a daemon has it. The thread at its other end is the process's, and ends with it.
static DETACHED: OnceLock<SyncSender<Vec<u8>>> = OnceLock::new();

/// Lines that wait to be written, and those that nobody will read.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static LOST: AtomicUsize = AtomicUsize::new(0);

/// From here on nothing that is said waits for a reader.
pub(super) fn detach() -> Result<(), Trouble> {
    let (sender, lines) = sync_channel(BUFFERED);
    let thread = std::thread::Builder::new().name("stderr".to_owned());
    thread.spawn(move || write_all(&lines)).map_err(|error| Trouble::machine("no thread could be started", error))?;
    let _ = DETACHED.set(sender);
    Ok(())
}

fn write_all(lines: &Receiver<Vec<u8>>) {
    for line in lines {
        // Whether it can be written may change: a reader of a FIFO comes back.
        if io::stderr().write_all(&line).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// This is a daemon, whose every line is an event of the log.
pub(super) fn is_detached() -> bool {
    DETACHED.get().is_some()
}

/// Lines that nobody will read, so far.
pub(super) fn lost() -> usize {
    LOST.load(Ordering::Relaxed)
}

/// Says something to the person, on lines of its own.
pub(super) fn say(text: &str) {
    write(format!("{}\n", safe_text(text, Paint::Plain)).into_bytes());
}

/// Says something, and leaves the cursor behind it.
pub(super) fn prompt(text: &str) {
    write(safe_text(text, Paint::Plain).into_owned().into_bytes());
}

/// Waits a little until everything was written that was said.
#[expect(clippy::disallowed_methods, reason = "the program is exiting, and nothing else runs")]
pub(super) fn flush() {
    for _ in 0..LAST_WORDS.as_millis() / LOOK.as_millis() {
        if WAITING.load(Ordering::Relaxed) == 0 {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

fn write(line: Vec<u8>) {
    let Some(detached) = DETACHED.get() else {
        let mut stderr = io::stderr().lock();
        // There is nowhere left to say that standard error cannot be written.
        let _ = stderr.write_all(&line).and_then(|()| stderr.flush());
        return;
    };
    WAITING.fetch_add(1, Ordering::Relaxed);
    if detached.try_send(line).is_err() {
        WAITING.fetch_sub(1, Ordering::Relaxed);
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// The writer of log lines in a form.
#[derive(Clone, Copy)]
pub(super) struct LogLines(pub(super) LogFormat);

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { format: self.0, text: Vec::new() }
    }
}

/// One event of the log, written when it is whole.
pub(super) struct LogLine {
    format: LogFormat,
    text: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let safe = match self.format {
            LogFormat::Text => safe_line(&text),
            LogFormat::Json => safe_json(&text),
        };
        if !safe.is_empty() {
            write(safe.into_owned().into_bytes());
        }
    }
}
