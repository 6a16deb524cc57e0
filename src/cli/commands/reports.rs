//! Drift reports that the daemon leaves in a directory: one per interval, and the newest under a name that stays.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, info};

use crate::cli::session::Session;
use crate::controller::Controller;
use crate::report::{DriftFormat, DriftReport, Paint};

/// Every report is left as a page for people and as a document for programs.
const FORMS: [(DriftFormat, &str); 2] = [(DriftFormat::Html, "html"), (DriftFormat::Json, "json")];

/// Not before everything has been looked at once.
const SOONEST: Duration = Duration::from_mins(1);

/// Where reports go.
pub(super) struct Reports {
    /// The directory; made when it is missing.
    pub(super) dir: PathBuf,
    /// How often.
    pub(super) every: Duration,
    /// How many are kept.
    pub(super) keep: usize,
}

impl Reports {
    /// Writes a report whenever it is time: also after a restart not more often than that. What cannot be written is told,
    /// and tried again at the next time.
    pub(super) async fn keep_writing(&self, session: &Session, controller: &Controller) -> Infallible {
        loop {
            let now = session.cx.now();
            let left = self.newest().map_or(SOONEST, |newest| {
                let since = now.duration_since(newest).unsigned_abs();
                self.every.saturating_sub(since).max(SOONEST)
            });
            session.cx.sleep(left).await;
            match self.write(controller, session.cx.now()) {
                Ok(differences) => info!(dir = %self.dir.display(), differences, "drift report written"),
                Err(why) => {
                    error!(dir = %self.dir.display(), %why, "the drift report could not be written");
                    session.cx.sleep(self.every).await;
                }
            }
        }
    }

    fn write(&self, controller: &Controller, now: Timestamp) -> io::Result<usize> {
        let desired = controller.board.desired();
        let found = desired.environments.values().map(|environment| {
            let found = controller.remembered_drift(environment).map_err(io::Error::other)?;
            Ok((environment, found))
        });
        let found = found.collect::<io::Result<Vec<_>>>()?;
        let each = found.iter().map(|(environment, found)| (&***environment, found.as_slice()));
        let report = DriftReport::of(each, now);
        std::fs::create_dir_all(&self.dir)?;
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        for (form, ending) in FORMS {
            let text = report.render(form, Paint::Plain).map_err(io::Error::other)?;
            for name in [format!("drift-{stamp}.{ending}"), format!("drift-latest.{ending}")] {
                // Whoever reads it reads a whole one.
                let unfinished = self.dir.join(format!(".{name}.part"));
                std::fs::write(&unfinished, &text)?;
                std::fs::rename(&unfinished, self.dir.join(name))?;
            }
        }
        self.prune()?;
        Ok(report.summary.differences)
    }

    /// Removes what is older than the newest so many. Only files of ours, by their names.
    fn prune(&self) -> io::Result<()> {
        let stamps = self.stamps();
        for old in stamps.iter().rev().skip(self.keep.max(1)) {
            for (_, ending) in FORMS {
                match std::fs::remove_file(self.dir.join(format!("drift-{old}.{ending}"))) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn newest(&self) -> Option<Timestamp> {
        self.stamps().last().and_then(|stamp| parse(stamp))
    }

    /// When reports were written, oldest first.
    fn stamps(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let stamps = names.filter_map(|name| {
            let stamp = Path::new(&name).file_stem()?.to_str()?.strip_prefix("drift-")?.to_owned();
            parse(&stamp).map(|_| stamp)
        });
        let mut stamps: Vec<String> = stamps.collect();
        stamps.sort();
        stamps.dedup();
        stamps
    }
}

fn parse(stamp: &str) -> Option<Timestamp> {
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

/// Never asked for: never over.
pub(super) async fn keep(reports: Option<&Reports>, session: &Session, controller: &Controller) -> Infallible {
    match reports {
        Some(reports) => reports.keep_writing(session, controller).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_reports_stay_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let reports = Reports { dir: dir.path().to_owned(), every: Duration::from_hours(24), keep: 2 };
        for name in
            ["drift-20260101T000000Z", "drift-20260102T000000Z", "drift-20260103T000000Z", "drift-latest", "drift-mine"]
        {
            std::fs::write(dir.path().join(format!("{name}.html")), "").unwrap();
        }
        assert_eq!(reports.newest(), Some("2026-01-03T00:00:00Z".parse().unwrap()));
        reports.prune().unwrap();
        let mut left: Vec<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            ["drift-20260102T000000Z.html", "drift-20260103T000000Z.html", "drift-latest.html", "drift-mine.html"]
        );
    }
}
