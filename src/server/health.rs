//! How the daemon and its environments stand, for machines: what it is not ready for, and the figures of `/metrics`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How the daemon stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its version.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
    /// Manifests have been loaded since.
    pub loaded: bool,
    /// What is wrong with the manifests, if they are not what it runs.
    pub error: Option<String>,
    /// Its environments; `None`: it has not looked at this one since it started.
    pub environments: BTreeMap<String, Option<Observed>>,
    /// The last heartbeat that has arrived of each `ACCOUNT/REGION`, and how late it was, in milliseconds.
    pub heartbeats: BTreeMap<String, (Timestamp, u64)>,
}

/// How an environment stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When.
    pub at: Timestamp,
    /// How many objects stood how.
    pub objects: BTreeMap<Standing, i64>,
}

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// Its kind: `stack`, `service`, …
    pub kind: String,
    /// As the column SYNC of `landfast status`.
    pub sync: String,
    /// As the column HEALTH.
    pub health: String,
    /// What it is: `Ready`, `Reconciling`, `Stalled`, `ApprovalRequired`, `Pending`, `Retained` or `Unknown`.
    pub state: &'static str,
}

/// Labels of one figure.
type Labels = Vec<(&'static str, String)>;

/// A figure for each set of labels.
type Figures = Family<Labels, Gauge>;

impl Health {
    /// What it is not ready for: a line each. Ready is who knows what is desired, and has looked at all of it.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        if !self.loaded {
            let why = self.error.as_deref().unwrap_or("they are being read");
            return vec![format!("no manifests have been loaded: {why}")];
        }
        let unseen = self.environments.iter().filter(|(_, seen)| seen.is_none());
        unseen.map(|(name, _)| format!("environment {name} has not been observed yet")).collect()
    }

    /// The figures, as `OpenMetrics` text. They are made for each answer, so what is gone is in none.
    ///
    /// # Errors
    /// They could not be written.
    pub fn metrics(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        let mut family = |name: &str, help: &str| {
            let figures = Figures::default();
            registry.register(name, help, figures.clone());
            figures
        };
        let set = |figures: &Figures, labels: Labels, value: i64| _ = figures.get_or_create(&labels).set(value);
        let build = family("landfast_build_info", "Version of this daemon");
        set(&build, vec![("version", self.version.clone())], 1);
        let started = family("landfast_start_time_seconds", "When this daemon started, in Unix time");
        set(&started, vec![], self.started.as_second());
        let current = family(
            "landfast_manifests_current",
            "1 if the daemon runs the newest manifests; 0 if they are broken or were refused",
        );
        set(&current, vec![], i64::from(self.loaded && self.error.is_none()));
        let observed = family(
            "landfast_environment_observed_time_seconds",
            "When the environment was observed last, in Unix time; 0 if never since the start",
        );
        let objects = family("landfast_objects", "Objects by kind, sync status, health and state");
        for (name, seen) in &self.environments {
            let environment = || ("environment", name.clone());
            set(&observed, vec![environment()], seen.as_ref().map_or(0, |seen| seen.at.as_second()));
            for (standing, count) in seen.iter().flat_map(|seen| &seen.objects) {
                let Standing { kind, sync, health, state } = standing.clone();
                let labels = [("kind", kind), ("sync", sync), ("health", health), ("state", state.to_owned())];
                set(&objects, [environment()].into_iter().chain(labels).collect(), *count);
            }
        }
        let beat =
            family("landfast_events_heartbeat_time_seconds", "When the last heartbeat event arrived, in Unix time");
        let late =
            family("landfast_events_delay_milliseconds", "How long after it was sent the last heartbeat arrived");
        for (scope, (at, delay)) in &self.heartbeats {
            let (account, region) = scope.split_once('/').unwrap_or((scope, ""));
            let labels = || vec![("account", account.to_owned()), ("region", region.to_owned())];
            set(&beat, labels(), at.as_second());
            set(&late, labels(), i64::try_from(*delay).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        // A family keeps its figures in no order; two answers should differ in what has changed.
        let mut lines: Vec<&str> = text.lines().collect();
        lines
            .chunk_by_mut(|one, other| !one.starts_with('#') && !other.starts_with('#'))
            .for_each(<[&str]>::sort_unstable);
        Ok(lines.join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        let standing = |state| Standing {
            kind: "stack".to_owned(),
            sync: "Synced".to_owned(),
            health: "Healthy".to_owned(),
            state,
        };
        let at = "2026-01-01T00:01:00Z".parse().unwrap();
        let objects = BTreeMap::from([(standing("Ready"), 3), (standing("Stalled"), 1)]);
        Health {
            version: "1.2.3 \"x\"".to_owned(),
            started: "2026-01-01T00:00:00Z".parse().unwrap(),
            loaded: true,
            error: None,
            environments: [("dev".to_owned(), Some(Observed { at, objects })), ("prod".to_owned(), None)].into(),
            heartbeats: [("111122223333/eu-central-1".to_owned(), (at, 1250))].into(),
        }
    }

    #[test]
    fn figures_are_written_as_open_metrics() {
        insta::assert_snapshot!(health().metrics().unwrap());
    }

    #[test]
    fn what_is_gone_is_in_no_figure() {
        let mut health = health();
        health.environments.clear();
        health.heartbeats.clear();
        let text = health.metrics().unwrap();
        assert!(!text.contains("environment=") && !text.contains("account="), "{text}");
    }

    #[test]
    fn ready_is_who_has_looked_at_everything() {
        let mut health = health();
        assert_eq!(health.missing(), ["environment prod has not been observed yet"]);
        health.environments.remove("prod");
        assert_eq!(health.missing(), [""; 0]);
        health.error = Some("broken".to_owned());
        assert_eq!(health.missing(), [""; 0], "what was loaded before goes on");
        health.loaded = false;
        assert_eq!(health.missing(), ["no manifests have been loaded: broken"]);
    }
}
