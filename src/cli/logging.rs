//! Logs: to standard error, as text or JSON.

use std::convert::Infallible;
use std::time::Duration;

use tracing::{Level, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::{Global, LogFormat};
use super::stderr::{self, LogLines};
#[cfg(feature = "aws")]
use crate::aws::QUIET_LOGS;
use crate::context::Context;

/// There is no SDK to be kept quiet.
#[cfg(not(feature = "aws"))]
const QUIET_LOGS: &str = "";

/// How soon it is said that lines were dropped.
const LOSSES: Duration = Duration::from_secs(5);

/// Starts logging. The filter of `LANDFAST_LOG` wins over `-v`.
pub(super) fn start(global: &Global, daemon: bool) {
    // The log is all that is left of a daemon's night.
    let level = match global.verbose {
        0 if daemon => LevelFilter::INFO,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // The SDK and its HTTP client speak only when asked by name: what they log at debug level is bulky, and not ours.
    let quiet = format!("{},{},landfast={}", LevelFilter::WARN.min(level), QUIET_LOGS, level);
    let filter = EnvFilter::try_from_env("LANDFAST_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(LogLines(global.log_format));
    // It would say so on standard error itself, and panic where that has no reader.
    let builder = builder.log_internal_errors(false);
    let discreet = || filter_fn(|about| is_discreet(about.target(), *about.level()));
    // A second start, in a test, changes nothing.
    let _ = match global.log_format {
        LogFormat::Text => builder.with_ansi(false).with_target(false).finish().with(discreet()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(discreet()).try_init(),
    };
    // A panic quotes what it was about, which may be somebody else's text.
    std::panic::set_hook(Box::new(|panic| stderr::say(&panic.to_string())));
}

/// Says how many lines nobody could read, as soon as somebody can.
pub(super) async fn tell_losses(cx: &Context) -> Infallible {
    let mut told = 0;
    loop {
        cx.sleep(LOSSES).await;
        let lost = stderr::lost();
        let lines = lost.saturating_sub(told);
        if lines > 0 {
            warn!(lines, "log lines were dropped: the reader of standard error was too slow or closed it");
            // Where that one was dropped too, it is said again.
            told = if stderr::lost() == lost { lost } else { told };
        }
    }
}

/// At trace level the SDK logs requests and answers with their bodies, values of secrets included (invariant S12). Whatever
/// `LANDFAST_LOG` says, only we speak at that level.
fn is_discreet(target: &str, level: Level) -> bool {
    level <= Level::DEBUG || target == "landfast" || target.starts_with("landfast::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_speaks_at_the_level_at_which_bodies_are_logged() {
        assert!(is_discreet("landfast::controller", Level::TRACE));
        assert!(is_discreet("aws_smithy_runtime::client::orchestrator", Level::DEBUG));
        for target in ["aws_smithy_runtime::client::orchestrator", "hyper::proto", "landfastened", "log"] {
            assert!(!is_discreet(target, Level::TRACE), "{target}");
        }
    }
}
