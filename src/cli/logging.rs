//! Logs: to standard error, as text or JSON.

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::{Global, LogFormat};
use crate::aws;

/// Starts logging. The filter of `LANDFAST_LOG` wins over `-v`.
pub(super) fn start(global: &Global) {
    let level = match global.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // The SDK and its HTTP client speak only when asked by name: what they log at debug level is bulky, and not ours.
    let quiet = format!("{},{},landfast={}", LevelFilter::WARN.min(level), aws::QUIET_LOGS, level);
    let filter = EnvFilter::try_from_env("LANDFAST_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let discreet = || filter_fn(|about| is_discreet(about.target(), *about.level()));
    // A second start, in a test, changes nothing.
    let _ = match global.log_format {
        LogFormat::Text => builder.with_ansi(false).with_target(false).finish().with(discreet()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(discreet()).try_init(),
    };
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
