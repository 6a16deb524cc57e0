//! What the daemon says of itself in the state directory: who it is, what it runs, and how every object stands.
//!
//! Others read it where AWS cannot be asked, or the manifests on disk are broken: what counts at night is what the daemon
//! knows. It is a copy for people and decides nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::args::VERSION;
use super::exit::Trouble;
use super::select::Names;
use super::terminal;
use crate::context::Context;
use crate::controller::{PlanObserver, SILENCE, Signals};
use crate::files;
use crate::model::{EnvName, Key, Memory, Plan};
use crate::report::{API_VERSION, Status, StatusList, clean, duration, to_json};

/// How often it is written, if something is new.
const EVERY: Duration = Duration::from_secs(2);

/// How old a sign of life may be.
const ALIVE: Duration = Duration::from_mins(2);

/// How often it is written although nothing is new. So what it says of the last look is at most this much older than that look.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// How often the log says that all is well.
const HEARTBEAT: Duration = Duration::from_mins(15);

/// More than any daemon writes.
const LARGEST: u64 = 256 << 20;

/// What a daemon says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beacon {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub(super) api_version: String,
    /// `Daemon`.
    #[schemars(extend("const" = "Daemon"))]
    pub(super) kind: String,
    /// Its process ID.
    pub(super) pid: u32,
    /// Its version.
    pub(super) version: String,
    /// When it started.
    #[schemars(with = "String")]
    pub(super) started: Timestamp,
    /// When this was written.
    #[schemars(with = "String")]
    pub(super) written: Timestamp,
    /// Where the manifests are: a directory, or Git repositories.
    pub(super) manifests: String,
    /// The revision that it runs.
    pub(super) revision: Option<String>,
    /// What is wrong with the manifests on disk, if they differ from what it runs.
    pub(super) error: Option<String>,
    /// The last heartbeat of each account and region whose events have arrived: `ACCOUNT/REGION`. Empty if there is no queue
    /// of events.
    #[serde(default)]
    pub(super) events: BTreeMap<String, Heard>,
    /// When each environment was looked at last, and how it stood.
    pub(super) environments: BTreeMap<String, Seen>,
}

/// A heartbeat that has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Heard {
    /// When.
    #[schemars(with = "String")]
    pub(super) arrived: Timestamp,
    /// How long after it was sent, in milliseconds.
    pub(super) late: u64,
}

/// How an environment stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    /// When. A look that found nothing new is written within 30 seconds.
    #[schemars(with = "String")]
    pub(super) at: Timestamp,
    /// Its objects.
    pub(super) items: Vec<Status>,
}

impl Beacon {
    /// What the daemon of this state directory wrote last.
    pub(super) fn read(state: &Path) -> Result<Option<Self>, Trouble> {
        let path = file(state);
        let doing = || format!("the daemon's status {} could not be read", path.display());
        let read = || {
            files::regular_or_nothing(&path)?;
            let mut text = Vec::new();
            files::open_unfollowed(&path)?.take(LARGEST).read_to_end(&mut text).map(|_| text)
        };
        match read() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Trouble::machine(doing(), error)),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| Trouble::machine(doing(), error)),
        }
    }

    /// Whether it was written lately.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.written).unsigned_abs() < ALIVE
    }

    /// Who it is, in a line, and what is wrong with its manifests, in another.
    pub(super) fn introduce(&self, now: Timestamp) -> String {
        let age = |since| duration(now.duration_since(since).unsigned_abs());
        let looked = self.environments.values().map(|seen| seen.at).max();
        let looked = looked.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(at)));
        let revision = self.revision.as_deref().map_or_else(|| "none".to_owned(), clean);
        let mut text = format!(
            "daemon: pid {}, landfast {}, up {}, last look {looked}, revision {revision}",
            self.pid,
            clean(&self.version),
            age(self.started)
        );
        if !self.is_fresh(now) {
            let _ = write!(text, "; it has not written its status for {}: it may be gone", age(self.written));
        }
        let silent: Vec<&str> = self.silent(now).collect();
        if !silent.is_empty() {
            let _ = write!(text, "\nno events arrive from {}: polled as without events", clean(&silent.join(", ")));
        }
        if let Some(error) = &self.error {
            let _ = write!(text, "\nthe manifests on disk are not what it runs: {}", clean(error));
        }
        text
    }

    /// Accounts and regions whose events have stopped arriving.
    fn silent(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let is_silent = move |heard: &Heard| now.duration_since(heard.arrived).unsigned_abs() >= SILENCE;
        self.events.iter().filter(move |(_, heard)| is_silent(heard)).map(|(scope, _)| scope.as_str())
    }

    /// How its objects stand that these words name, as they do in every command; all in the environment `here`, or everywhere,
    /// if there are no words.
    pub(super) fn status(&self, words: &[String], here: Option<&str>) -> Result<StatusList, Trouble> {
        let items = self.environments.values().flat_map(|seen| &seen.items);
        let items: Vec<(Key, &Status)> = items.filter_map(|item| Some((item.object.parse().ok()?, item))).collect();
        let names = Names {
            environments: self.environments.keys().cloned().collect(),
            objects: items.iter().map(|(key, _)| key).collect(),
        };
        let chosen = names.chosen(words, here)?;
        Ok(StatusList::listed(items.iter().filter(|(key, _)| chosen.contains(key)).map(|(_, item)| (*item).clone())))
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("daemon.json")
}

/// The daemon's side.
#[derive(Clone)]
pub(super) struct Lamp {
    path: PathBuf,
    cx: Context,
    lit: Arc<Mutex<Lit>>,
}

struct Lit {
    beacon: Beacon,
    changed: bool,
    /// The newest plan of each environment, until somebody asks what it says: while something happens there are many in a
    /// second.
    plans: BTreeMap<EnvName, (Timestamp, Plan, Memory)>,
}

impl Lit {
    /// Makes of plans what they say.
    fn read_plans(&mut self) {
        for (environment, (at, plan, memory)) in std::mem::take(&mut self.plans) {
            self.saw(environment.as_str(), at, StatusList::of([(&plan, &memory)]).items);
        }
    }

    /// An environment stands like this. That it was looked at again is worth no writing of its own.
    fn saw(&mut self, environment: &str, at: Timestamp, items: Vec<Status>) {
        match self.beacon.environments.get_mut(environment) {
            Some(seen) if seen.items == items => seen.at = at,
            _ => {
                self.beacon.environments.insert(environment.to_owned(), Seen { at, items });
                self.changed = true;
            }
        }
    }
}

impl Lit {
    /// Whether events arrive. That another heartbeat has is worth no writing of its own.
    fn heard(&mut self, signals: &Signals, now: Timestamp, elapsed: Duration) {
        let heard = signals.beats().into_iter().map(|(scope, beat)| {
            let arrived = now.saturating_sub(elapsed.saturating_sub(beat.arrived)).unwrap_or(now);
            (scope.to_string(), Heard { arrived, late: u64::try_from(beat.late.as_millis()).unwrap_or(u64::MAX) })
        });
        self.beacon.events = heard.collect();
    }
}

impl Lamp {
    /// A daemon that begins now.
    pub(super) fn new(cx: &Context, state: &Path, manifests: &str) -> Self {
        let now = cx.now();
        let beacon = Beacon {
            api_version: API_VERSION.to_owned(),
            kind: "Daemon".to_owned(),
            pid: std::process::id(),
            version: VERSION.to_owned(),
            started: now,
            written: now,
            manifests: manifests.to_owned(),
            revision: None,
            error: None,
            events: BTreeMap::new(),
            environments: BTreeMap::new(),
        };
        let lit = Lit { beacon, changed: true, plans: BTreeMap::new() };
        Self { path: file(state), cx: cx.clone(), lit: Arc::new(Mutex::new(lit)) }
    }

    /// Sees every plan.
    pub(super) fn observer(&self) -> PlanObserver {
        let lamp = self.clone();
        Arc::new(move |plan, memory| {
            let at = lamp.cx.now();
            lamp.lock().plans.insert(plan.environment.clone(), (at, plan, memory));
        })
    }

    /// The manifests were loaded, or could not be.
    pub(super) fn loaded(&self, revision: Option<String>, error: Option<String>, environments: &[&EnvName]) {
        let mut lit = self.lock();
        lit.read_plans();
        let count = lit.beacon.environments.len();
        let mut new = lit.beacon.error != error;
        if revision.is_some() {
            new |= lit.beacon.revision != revision;
            lit.beacon.revision = revision;
            let stays = |name: &String| environments.iter().any(|kept| kept.as_str() == name);
            lit.beacon.environments.retain(|name, _| stays(name));
        }
        lit.beacon.error = error;
        lit.changed |= new || lit.beacon.environments.len() != count;
    }

    /// Shows what is known to somebody who makes something of it.
    #[cfg(feature = "git")]
    pub(super) fn show<T>(&self, look: impl FnOnce(&Beacon) -> T) -> T {
        let mut lit = self.lock();
        lit.read_plans();
        look(&lit.beacon)
    }

    /// Writes what is new, and says in the log now and then that all is well. Never ends.
    pub(super) async fn burn(&self, signals: &Signals) -> std::convert::Infallible {
        let (mut written, mut said) = (None::<Timestamp>, self.cx.now());
        loop {
            let now = self.cx.now();
            let changed = {
                let mut lit = self.lock();
                lit.heard(signals, now, self.cx.elapsed());
                lit.read_plans();
                lit.changed
            };
            let due = |since: Timestamp, pause| now.duration_since(since).unsigned_abs() >= pause;
            if changed || written.is_none_or(|at| due(at, SIGN_OF_LIFE)) {
                self.write(now);
                written = Some(now);
            }
            if due(said, HEARTBEAT) {
                said = now;
                let lit = self.lock();
                let items = || lit.beacon.environments.values().flat_map(|seen| &seen.items);
                let (objects, in_sync) = (items().count(), items().filter(|item| item.is_ready()).count());
                let stalled = items().filter(|item| item.is_stalled()).count();
                let uptime = duration(now.duration_since(lit.beacon.started).unsigned_abs());
                tracing::info!(objects, in_sync, stalled, uptime, "alive");
            }
            self.cx.sleep(EVERY).await;
        }
    }

    fn write(&self, now: Timestamp) {
        let text = {
            let mut lit = self.lock();
            lit.changed = false;
            lit.beacon.written = now;
            to_json(&lit.beacon)
        };
        let written = text.map_err(|error| error.to_string()).and_then(|text| {
            files::replace(&self.path, text.as_bytes(), files::Access::Private).map_err(|error| error.to_string())
        });
        if let Err(why) = written {
            tracing::debug!(%why, "the daemon's status could not be written");
        }
    }

    /// The daemon ends: nobody is to take what it wrote for a sign of life.
    pub(super) fn put_out(&self) {
        let _ = std::fs::remove_file(&self.path);
    }

    fn lock(&self) -> MutexGuard<'_, Lit> {
        self.lit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the daemon that has the journal, if it says who it is.
pub(super) fn introduce(state: &Path, now: Timestamp) {
    // It is a courtesy: what cannot be read is left out.
    if let Ok(Some(beacon)) = Beacon::read(state) {
        terminal::note(&beacon.introduce(now));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::fixtures;

    fn status(object: &str, action: &str) -> Status {
        let status = json!({
            "object": object,
            "name": object,
            "account": "111122223333",
            "region": "us-east-1",
            "status": null,
            "sync": "Synced",
            "health": "Healthy",
            "action": action,
            "observedRevision": "1",
            "conditions": [],
            "operationSince": null,
        });
        serde_json::from_value(status).unwrap()
    }

    fn at(minute: u8) -> Timestamp {
        format!("2026-01-01T00:{minute:02}:00Z").parse().unwrap()
    }

    fn lit() -> Lit {
        let beacon = Beacon {
            api_version: API_VERSION.to_owned(),
            kind: "Daemon".to_owned(),
            pid: 1,
            version: "0".to_owned(),
            started: at(0),
            written: at(0),
            manifests: "m".to_owned(),
            revision: None,
            error: None,
            events: BTreeMap::new(),
            environments: BTreeMap::new(),
        };
        Lit { beacon, changed: false, plans: BTreeMap::new() }
    }

    #[test]
    fn words_mean_what_they_mean_in_every_command() {
        let mut lit = lit();
        let dev = ["dev/stack/net", "dev/stack/network", "dev/service/api"].map(|object| status(object, "none"));
        lit.saw("dev", at(1), dev.into());
        lit.saw("development", at(1), vec![status("development/stack/net", "none")]);
        let chosen = |words: &[&str], here: Option<&str>| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let found = lit.beacon.status(&words, here).map_err(|trouble| trouble.to_string())?;
            Ok::<_, String>(found.items.into_iter().map(|item| item.object).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["dev/stack/net"], None).unwrap(), ["dev/stack/net"]);
        assert_eq!(chosen(&["dev/svc"], None).unwrap(), ["dev/service/api"]);
        assert_eq!(chosen(&["network"], None).unwrap(), ["dev/stack/network"]);
        assert_eq!(chosen(&["*/stack/net"], None).unwrap(), ["dev/stack/net", "development/stack/net"]);
        assert_eq!(chosen(&[], Some("development")).unwrap(), ["development/stack/net"]);
        assert_eq!(chosen(&[], None).unwrap().len(), 4);
        assert!(chosen(&["dev/stack/netwrok"], None).is_err());
        assert!(chosen(&["prod"], None).is_err());
    }

    #[test]
    fn of_many_plans_the_newest_is_written_and_none_of_an_environment_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let lamp = Lamp::new(&Context::system().unwrap(), directory.path(), "m");
        let observe = lamp.observer();
        let (busy, calm) = (fixtures::everything(), fixtures::in_sync());
        let items = StatusList::of([(&calm, &fixtures::memory())]).items;
        let name = calm.environment.clone();
        observe(Plan { environment: name.clone(), ..busy }, fixtures::memory());
        observe(calm.clone(), fixtures::memory());
        let seen = |lamp: &Lamp| {
            let mut lit = lamp.lock();
            lit.read_plans();
            lit.beacon.environments.get(name.as_str()).map(|seen| seen.items.clone())
        };
        assert_eq!(seen(&lamp), Some(items));
        observe(calm, fixtures::memory());
        lamp.loaded(Some("2".to_owned()), None, &[]);
        assert_eq!(seen(&lamp), None);
    }

    #[test]
    fn that_it_was_looked_at_again_is_worth_no_writing() {
        let mut lit = lit();
        lit.saw("dev", at(1), vec![status("dev/stack/net", "none")]);
        assert!(std::mem::take(&mut lit.changed));
        lit.saw("dev", at(2), vec![status("dev/stack/net", "none")]);
        assert_eq!((lit.changed, lit.beacon.environments["dev"].at), (false, at(2)));
        lit.saw("dev", at(3), vec![status("dev/stack/net", "update")]);
        assert!(lit.changed);
    }
}
