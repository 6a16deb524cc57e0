//! Who hears what a controller does: people without a terminal that could show more, the log, nobody.

use std::sync::Arc;

use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::args::LogFormat;
use super::terminal;
use crate::controller::Listener;
use crate::model::Key;
use crate::report::Progress;

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
