//! Logs: to standard error, as text or JSON.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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
    // A second start, in a test, changes nothing.
    let _ = match global.log_format {
        LogFormat::Text => builder.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
