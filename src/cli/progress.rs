//! Progress on standard error: a line for each running stack while a terminal is attached, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::args::LogFormat;
use super::terminal;
use crate::controller::Listener;
use crate::model::Key;
use crate::report::{Paint, Progress, clean, safe_text};

/// A listener for this terminal, or for none.
pub(super) fn listener() -> Listener {
    if std::io::stderr().is_terminal() { attended() } else { plain() }
}

/// One line for each thing that happens.
pub(super) fn plain() -> Listener {
    Arc::new(|at: Timestamp, progress: &Progress| {
        if let Some(line) = progress.line(at) {
            terminal::note(&line);
        }
    })
}

/// The same about one object.
pub(super) fn about(object: Key) -> Listener {
    let plain = plain();
    Arc::new(move |at: Timestamp, progress: &Progress| {
        if progress.key() == Some(&object) {
            plain(at, progress);
        }
    })
}

/// An event of the log for each thing that happens: what the daemon says.
pub(super) fn logged(format: LogFormat) -> Listener {
    Arc::new(move |_: Timestamp, progress: &Progress| {
        let (Some(subject), Some(message)) = (progress.subject(), progress.message()) else { return };
        // People read what it is about first; programs look for it in a field.
        let (object, message) = match format {
            LogFormat::Text => (None, format!("{subject}: {message}")),
            LogFormat::Json => (progress.key().map(tracing::field::display), message),
        };
        match progress {
            // What it is for is told by what follows.
            Progress::Took { .. } => debug!(object, "{message}"),
            _ if progress.is_warning() => warn!(object, "{message}"),
            _ => info!(object, "{message}"),
        }
    })
}

/// Nothing: for commands that only look.
pub(super) fn silent() -> Listener {
    Arc::new(|_, _| {})
}

fn attended() -> Listener {
    let board = MultiProgress::new();
    let running: Mutex<BTreeMap<Key, ProgressBar>> = Mutex::default();
    Arc::new(move |at: Timestamp, progress: &Progress| {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Began { key, name, .. } => {
                let bar = board.add(ProgressBar::new_spinner());
                bar.set_style(style());
                bar.set_prefix(clean(name));
                bar.enable_steady_tick(Duration::from_millis(120));
                if let Some(old) = running.insert(key.clone(), bar) {
                    old.finish_and_clear();
                }
                return;
            }
            Progress::Moved { key, status, .. } => {
                if let Some(bar) = running.get(key) {
                    bar.set_message(status.to_string());
                }
                return;
            }
            Progress::Concluded { key, .. } => {
                if let Some(bar) = running.remove(key) {
                    bar.finish_and_clear();
                }
            }
            Progress::Took { .. } | Progress::LookedAt { .. } => return,
            _ => {}
        }
        if let Some(line) = progress.line(at) {
            // The terminal may have gone away; the work goes on.
            let _ = board.println(safe_text(&line, Paint::Plain));
        }
    })
}

fn style() -> ProgressStyle {
    let template = "{spinner} {elapsed_precise} {prefix:40!} {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
