//! Drift reports that the daemon leaves: one per interval, and the newest under a name that stays.
//!
//! A directory gets one report of all environments. A bucket gets one of each, sent by the environment's own role: what
//! may look at an account may not look at every other. When a report was last written is told by what lies there, so that
//! a restart neither writes one more nor leaves one out.

mod shelf;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tracing::{error, info};

use self::shelf::{Failed, Shelf};
use super::Controller;
use crate::model::{Environment, Region, Scope};
use crate::ports::Priority;
use crate::report::{DriftFormat, DriftReport, Paint};

/// Every report is left as a page for people and as a document for programs.
const FORMS: [(DriftFormat, &str, &str); 2] =
    [(DriftFormat::Html, "html", "text/html; charset=utf-8"), (DriftFormat::Json, "json", "application/json")];

/// Not before everything has been looked at once.
const SOONEST: Duration = Duration::from_mins(1);

/// How soon it is tried again where it could not be written.
const AGAIN: Duration = Duration::from_hours(1);

/// How a report is stamped: in the name of its file, and so in the order of names.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// Which reports are left where.
#[derive(Clone, Debug)]
pub struct Reports {
    /// Where they go: each place has all of them.
    pub places: Vec<ReportPlace>,
    /// How often one is written.
    pub every: Duration,
    /// How many are kept.
    pub keep: usize,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportPlace {
    /// A directory; made when it is missing.
    Directory(PathBuf),
    /// A bucket.
    Bucket {
        /// Its name.
        name: String,
        /// What the keys begin with: nothing, or ending in `/`.
        prefix: String,
        /// Where it is, if that is not the environment's region.
        region: Option<Region>,
    },
}

/// It names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a directory nor s3://BUCKET/PREFIX (add ?region=REGION if it is not the environment's region)"
)]
pub struct NoPlace(String);

impl FromStr for ReportPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let wrong = || NoPlace(text.to_owned());
        let Some(rest) = text.strip_prefix("s3://") else {
            let directory = !text.is_empty() && !text.contains("://");
            return directory.then(|| Self::Directory(PathBuf::from(text))).ok_or_else(wrong);
        };
        let (path, region) = match rest.split_once("?region=") {
            Some((path, region)) => (path, Some(region.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        // AWS: *General purpose bucket naming rules*.
        let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-.".contains(&letter);
        if !(3..=63).contains(&name.len())
            || !name.bytes().all(plain)
            || prefix.starts_with('/')
            || prefix.contains('?')
        {
            return Err(wrong());
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self::Bucket { name: name.to_owned(), prefix, region })
    }
}

impl fmt::Display for ReportPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket { name, prefix, .. } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

impl Reports {
    /// Writes a report wherever it is time, for as long as it is polled. What cannot be written is told, and tried again.
    pub async fn keep_writing(&self, controller: &Controller) -> Infallible {
        join_all(self.places.iter().map(|place| self.keep_at(controller, place))).await;
        // Without a place there is nothing to do, for ever.
        std::future::pending().await
    }

    async fn keep_at(&self, controller: &Controller, place: &ReportPlace) -> Infallible {
        let mut pause = SOONEST;
        loop {
            controller.cx.sleep(pause).await;
            if controller.is_stopping() {
                std::future::pending::<()>().await;
            }
            pause = self.every;
            for (environments, there) in controller.shelves(place) {
                let left = self.tend(controller, &environments, &there).await.unwrap_or_else(|why| {
                    error!(%place, %why, "the drift report could not be written");
                    AGAIN
                });
                pause = pause.min(left);
            }
            pause = pause.max(SOONEST);
        }
    }

    /// Writes a report if it is time. Says how long it is until the next.
    async fn tend(&self, controller: &Controller, of: &[Arc<Environment>], at: &Shelf) -> Result<Duration, Failed> {
        let there = at.names().await?;
        let now = controller.cx.now();
        let (whole, broken) = stamps(&there);
        let newest = whole.last().and_then(|stamp| parse(stamp));
        let since = newest.and_then(|newest| Duration::try_from(now.duration_since(newest)).ok());
        if let Some(left) = since.and_then(|since| self.every.checked_sub(since)).filter(|left| !left.is_zero()) {
            // Something may be left of the last time.
            self.prune(at, &whole, &broken, self.keep.max(1)).await?;
            return Ok(left);
        }
        let report = controller.drift_report(of, now).await?;
        let stamp = now.strftime(STAMP).to_string();
        // The stamped one comes last: it says that all of this was done.
        for stamp in ["latest", &stamp] {
            for (form, ending, media) in FORMS {
                let text = report.render(form, Paint::Plain).map_err(Failed::Form)?;
                at.put(&name(stamp, ending), media, &text).await?;
            }
        }
        info!(place = %at, differences = report.summary.differences, "drift report written");
        self.prune(at, &whole, &broken, self.keep.max(1) - 1).await?;
        Ok(self.every)
    }

    /// Removes what is older than the newest so many, and what was not finished. Only what is ours, by its name.
    async fn prune(&self, at: &Shelf, whole: &[String], broken: &[String], keep: usize) -> Result<(), Failed> {
        for old in whole.iter().rev().skip(keep).chain(broken) {
            for (_, ending, _) in FORMS {
                at.remove(&name(old, ending)).await?;
            }
        }
        Ok(())
    }
}

impl Controller {
    /// What is known of the drift of some environments, as a report.
    async fn drift_report(&self, of: &[Arc<Environment>], now: Timestamp) -> Result<DriftReport, Failed> {
        let desired = self.board.desired();
        let mut found = Vec::new();
        for environment in of {
            found.push((environment, self.known_drift(&desired, environment).await?));
        }
        Ok(DriftReport::of(found.iter().map(|(environment, found)| (&***environment, found.as_slice())), now))
    }

    /// The reports that a place gets: of which environments, and where exactly.
    fn shelves(&self, place: &ReportPlace) -> Vec<(Vec<Arc<Environment>>, Shelf)> {
        let desired = self.board.desired();
        let environments = desired.environments.values().cloned();
        match place {
            ReportPlace::Directory(path) => vec![(environments.collect(), Shelf::Directory(path.clone()))],
            ReportPlace::Bucket { name, prefix, region } => {
                let place_of = |environment: &Environment| {
                    let region = region.clone().unwrap_or_else(|| environment.scope.region.clone());
                    let scope = Scope { region, ..environment.scope.clone() };
                    Shelf::Bucket {
                        objects: self.governor.objects(&scope, environment.role.as_ref(), Priority::Drift),
                        gate: self.gate.clone(),
                        revision: desired.revision.sequence,
                        bucket: name.clone(),
                        prefix: format!("{prefix}{}/", environment.name),
                    }
                };
                environments.map(|environment| (vec![Arc::clone(&environment)], place_of(&environment))).collect()
            }
        }
    }
}

fn name(stamp: &str, ending: &str) -> String {
    format!("drift-{stamp}.{ending}")
}

/// When reports were written, oldest first: those of which every form is there, and the others.
fn stamps(names: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    let stamps = names.iter().filter_map(|name| {
        let (stamp, ending) = name.strip_prefix("drift-")?.split_once('.')?;
        let ours = FORMS.iter().any(|(_, known, _)| *known == ending) && parse(stamp).is_some();
        ours.then(|| stamp.to_owned())
    });
    let stamps: BTreeSet<String> = stamps.collect();
    let is_whole = |stamp: &String| FORMS.iter().all(|(_, ending, _)| names.contains(&name(stamp, ending)));
    stamps.into_iter().partition(is_whole)
}

fn parse(stamp: &str) -> Option<Timestamp> {
    let at = jiff::civil::DateTime::strptime(STAMP, stamp).ok()?;
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_or_a_bucket() {
        let bucket = |name: &str, prefix: &str, region: Option<&str>| {
            let region = region.map(|region| region.parse().unwrap());
            Ok(ReportPlace::Bucket { name: name.to_owned(), prefix: prefix.to_owned(), region })
        };
        for (text, place) in [
            ("reports", Ok(ReportPlace::Directory("reports".into()))),
            ("s3://my-reports", bucket("my-reports", "", None)),
            ("s3://my-reports/", bucket("my-reports", "", None)),
            ("s3://my.reports/a/b/", bucket("my.reports", "a/b/", None)),
            ("s3://my-reports/a?region=eu-west-1", bucket("my-reports", "a/", Some("eu-west-1"))),
        ] {
            assert_eq!(text.parse(), place, "{text}");
        }
        for text in ["", "s3://", "s3://My-Reports/a", "s3://ab", "s3://abc//x", "gs://abc", "s3://abc/a?b=c"] {
            assert_eq!(text.parse::<ReportPlace>(), Err(NoPlace(text.to_owned())));
        }
    }

    #[tokio::test]
    async fn the_newest_reports_stay_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::Directory(dir.path().to_owned());
        let reports = Reports { places: Vec::new(), every: Duration::from_hours(24), keep: 2 };
        let stamped = ["drift-20260101T000000Z", "drift-20260102T000000Z", "drift-20260103T000000Z"];
        for name in stamped.into_iter().chain(["drift-latest", "drift-mine"]) {
            for ending in ["html", "json"] {
                shelf.put(&format!("{name}.{ending}"), "", "").await.unwrap();
            }
        }
        shelf.put("drift-20260101T000000Z.txt", "", "").await.unwrap();
        shelf.put("drift-20260104T000000Z.html", "", "").await.unwrap();
        let (whole, broken) = stamps(&shelf.names().await.unwrap());
        reports.prune(&shelf, &whole, &broken, 1).await.unwrap();
        let left: Vec<String> = shelf.names().await.unwrap().into_iter().collect();
        assert_eq!(
            left,
            [
                "drift-20260101T000000Z.txt",
                "drift-20260103T000000Z.html",
                "drift-20260103T000000Z.json",
                "drift-latest.html",
                "drift-latest.json",
                "drift-mine.html",
                "drift-mine.json"
            ]
        );
    }
}
