//! What a run does with a service, secrets and records, and how they are to end.

use std::collections::BTreeMap;

use landfast::model::{
    AWSCURRENT, AWSPENDING, AWSPREVIOUS, DnsName, OWNER_TAG, RecordChange, RecordContent, RecordSet, RecordVerb,
    RecordsOf, SetRouting, StopDeployment, TaskStatus,
};
use landfast::ports::UpdateService;
use landfast::sim::{ImageBehaviour, NewService};

use super::{AppAct, FIELDS, Quality, ZONE, secret_name};
use crate::fleet::{CANARY, Fleet, Prune, REPOSITORY};
use crate::images::web;
use crate::run::Run;
use crate::scenario::Event;

const REGISTRY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";

/// A record that somebody writes by hand.
fn by_hand(host: &str) -> RecordSet {
    RecordSet {
        of: RecordsOf { name: DnsName::new(host), kind: "CNAME".to_owned() },
        set: None,
        content: RecordContent::Values { values: vec!["theirs.example.net".to_owned()], ttl: 300 },
        routing: SetRouting::Simple,
        health_check: None,
    }
}

/// The name of the record that says whose another is.
fn marker(host: &str) -> DnsName {
    DnsName::new(&format!("_landfast-cname.{host}"))
}

impl Run<'_> {
    /// What is there before the daemon is.
    pub(crate) fn furnish(&mut self) {
        let console = self.rig.console();
        console.zone(ZONE).unwrap();
        let Some(of_fleet) = self.scenario.fleet.web.clone() else { return };
        console.create_repository(REPOSITORY);
        self.push(Quality::Good);
        if of_fleet.stack {
            return;
        }
        let image = format!("{REGISTRY}/{REPOSITORY}:1.0.0");
        let definition = console.register_task_definition("web", &[("web", &image)]).unwrap();
        let request = NewService {
            desired: 1,
            circuit_breaker: of_fleet.breaker,
            rollback: of_fleet.breaker,
            ..NewService::new("shop", "web", definition)
        };
        console.create_service(&request).unwrap();
    }

    /// Pushes the next version.
    pub(crate) fn push(&mut self, quality: Quality) {
        let version = format!("1.{}.0", self.pushed);
        self.pushed += 1;
        let console = self.rig.console();
        let digest = console.push_image(REPOSITORY, &version, &[&version], None).unwrap();
        let behaviour = match quality {
            Quality::Good => ImageBehaviour::Runs,
            Quality::Unpullable => ImageBehaviour::CannotBePulled,
            Quality::Crashes => ImageBehaviour::Crashes,
            Quality::Unhealthy => ImageBehaviour::NeverHealthy,
        };
        console.set_image_behaviour(&digest, behaviour);
        self.rig.truth.images.pushed(&digest, quality != Quality::Good, self.rig.cx.now());
        self.newest = Some(digest);
    }

    pub(crate) fn app_act(&mut self, act: &AppAct) {
        match act {
            AppAct::Push(_) | AppAct::MoveTag | AppAct::Expire | AppAct::Scale(_) | AppAct::Redeploy => {
                self.image_act(act);
            }
            AppAct::PutSecret(number) | AppAct::PreviousSecret(number) | AppAct::DeleteSecret(number) => {
                self.secret_act(act, &secret_name(*number));
            }
            AppAct::EditRecord(number) | AppAct::DropRecord(number, _) => self.record_act(act, *number),
        }
    }

    fn image_act(&mut self, act: &AppAct) {
        let console = self.rig.console();
        let Some(newest) = self.newest.clone() else { return };
        match act {
            AppAct::Push(quality) => self.push(*quality),
            AppAct::MoveTag => {
                let tag = format!("1.{}.0", self.pushed - 1);
                let moved = format!("{tag} again at {}", self.rig.cx.elapsed().as_secs());
                let digest = console.push_image(REPOSITORY, &moved, &[&tag], None).unwrap();
                self.rig.truth.images.pushed(&digest, false, self.rig.cx.now());
            }
            AppAct::Expire => {
                console.delete_image(REPOSITORY, &newest);
                // Whoever has decided on nothing yet finds an older one.
                if console.images(REPOSITORY).is_empty() {
                    self.push(Quality::Good);
                }
            }
            AppAct::Scale(to) => {
                console.scale_service(&web(), u32::from(*to));
                if let Some(service) = console.service(&web()) {
                    self.rig.truth.images.scaled(&service, u32::from(*to));
                }
            }
            _ => {
                let image = format!("{REGISTRY}/{REPOSITORY}:1.0.0");
                let stack = self.scenario.fleet.web.as_ref().is_some_and(|web| web.stack);
                if stack || console.service(&web()).is_none() {
                    return;
                }
                let Ok(definition) = console.register_task_definition("web", &[("web", &image)]) else { return };
                let request = UpdateService { service: web(), task_definition: Some(definition), force: false };
                let _refused = console.deploy_service(&request);
            }
        }
    }

    fn secret_act(&self, act: &AppAct, name: &str) {
        let console = self.rig.console();
        let Some(state) = console.secret(name) else { return };
        match act {
            AppAct::PutSecret(_) => {
                let truth = console.secret_truth(name).unwrap_or_default();
                let current = truth.values().find(|(_, labels)| labels.contains(AWSCURRENT));
                let fields =
                    current.and_then(|(value, _)| serde_json::from_str::<BTreeMap<String, String>>(value).ok());
                let mut fields = fields.unwrap_or_default();
                fields.insert("password".to_owned(), format!("{CANARY}-{}", self.rig.cx.elapsed().as_secs()));
                for gone in &FIELDS[1..] {
                    fields.remove(*gone);
                }
                let _refused = console.put_secret(name, &serde_json::to_string(&fields).unwrap());
            }
            AppAct::PreviousSecret(_) => {
                if let (Some(new), Some(old)) = (state.version(AWSCURRENT), state.version(AWSPREVIOUS)) {
                    let _refused = console.make_current(name, new, old);
                }
            }
            _ => _ = console.delete_secret(name, 7),
        }
        self.rig.truth.vaults.by_hand(name, &console.secret_truth(name).unwrap_or_default());
    }

    fn record_act(&self, act: &AppAct, number: u8) {
        let console = self.rig.console();
        let Some(named) = self.rig.repo.lock().unwrap().fleet.app.records.get(&number).cloned() else { return };
        let zone = console.zone(ZONE).unwrap();
        let sets = console.record_sets(&zone);
        let there = |name: &DnsName| sets.iter().find(|set| set.of.name == *name).cloned();
        let change = |verb, set| RecordChange { verb, set };
        let host = named.host();
        let changes: Vec<RecordChange> = match act {
            AppAct::DropRecord(_, with_marker) => {
                let gone = there(&DnsName::new(&host)).into_iter();
                let gone = gone.chain(with_marker.then(|| there(&marker(&host))).flatten());
                gone.map(|set| change(RecordVerb::Delete, set)).collect()
            }
            // Where there is none yet, it is somebody else's then.
            _ => vec![change(RecordVerb::Upsert, by_hand(&host))],
        };
        if !changes.is_empty() {
            let _refused = console.change_records(&zone, &changes);
        }
    }

    /// One last edit of all of them, and a good image.
    pub(crate) fn last_edit_of_app(&mut self) {
        if self.scenario.fleet.web.is_some() {
            self.rig.truth.images.may_go_back();
            self.push(Quality::Good);
        }
    }

    /// The last edit, as a commit.
    pub(crate) fn edited_app(fleet: &mut Fleet) {
        for vault in fleet.app.secrets.values_mut() {
            vault.edition = 42;
            // A rotation that is due is no noise, and silence is what comes next.
            vault.every = vault.every.map(|_| 48);
        }
        for named in fleet.app.records.values_mut() {
            named.target = 42;
        }
        if let Some(web) = &mut fleet.web {
            "semver: '1'".clone_into(&mut web.select);
            // What has failed for good is tried again.
            web.breaker ^= web.stack;
        }
    }

    /// The last change that nobody tells of.
    pub(crate) fn drift_of_app(&mut self) {
        let app = self.rig.repo.lock().unwrap().fleet.app.clone();
        for number in app.secrets.keys() {
            self.app_act(&AppAct::PutSecret(*number));
        }
        for number in app.records.keys() {
            self.app_act(&AppAct::EditRecord(*number));
        }
    }

    /// What only a person may do: what is somebody else's and in the way goes, and a deployment by hand that hangs is
    /// ended.
    pub(crate) fn person_of_app(&self) {
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        let console = self.rig.console();
        let zone = console.zone(ZONE).unwrap();
        let sets = console.record_sets(&zone);
        for named in fleet.app.records.values() {
            let host = named.host();
            let marked = sets.iter().any(|set| set.of.name == marker(&host));
            let Some(set) = sets.iter().find(|set| set.of.name == DnsName::new(&host)).filter(|_| !marked) else {
                continue;
            };
            let gone = RecordChange { verb: RecordVerb::Delete, set: set.clone() };
            let _refused = console.change_records(&zone, &[gone]);
        }
        let stack = fleet.web.as_ref().is_some_and(|web| web.stack);
        if fleet.web.is_some() && !stack {
            let last = console.service_deployments(&web()).into_iter().max_by_key(|deployed| deployed.state.created);
            if let Some(last) = last.filter(|last| !last.state.status.is_final()) {
                let hangs = self.rig.cx.now().duration_since(last.state.created).as_mins() > 60;
                if hangs {
                    let _refused = console.stop_deployment(&last.state.arn, StopDeployment::Rollback);
                }
            }
        }
    }

    /// How they are not as desired.
    pub(crate) fn app_wrong(&self, fleet: &Fleet) -> Vec<String> {
        let mut wrong = self.secrets_wrong(fleet);
        wrong.extend(self.records_wrong(fleet));
        if fleet.web.is_some() {
            wrong.extend(self.web_wrong());
        }
        wrong
    }

    fn web_wrong(&self) -> Vec<String> {
        let console = self.rig.console();
        let Some(service) = console.service(&web()) else { return vec!["the service does not exist".to_owned()] };
        let tasks = console.service_tasks(&web());
        let alive: Vec<_> = tasks.iter().filter(|task| task.status != TaskStatus::Stopped).collect();
        let runs = alive.iter().all(|task| {
            task.status == TaskStatus::Running
                && task.containers.first().is_some_and(|found| found.digest == self.newest)
        });
        if runs && alive.len() == usize::try_from(service.desired).unwrap() {
            return Vec::new();
        }
        vec![format!("{} of {} tasks of the service, all with the newest image: {runs}", alive.len(), service.desired)]
    }

    fn secrets_wrong(&self, fleet: &Fleet) -> Vec<String> {
        let console = self.rig.console();
        let mut wrong = Vec::new();
        for (number, vault) in &fleet.app.secrets {
            let name = secret_name(*number);
            let Some(state) = console.secret(&name) else {
                wrong.push(format!("{name} does not exist"));
                continue;
            };
            let truth = console.secret_truth(&name).unwrap_or_default();
            let current =
                truth.values().find(|(_, labels)| labels.contains(AWSCURRENT)).map(|(value, _)| value.as_str());
            let whole = |value: &str| vault.names().iter().all(|field| value.contains(&format!("\"{field}\":")));
            let owner = format!("dev/secret/v{number}");
            let checks = [
                (state.deleted.is_some(), "is deleted"),
                (state.tags.get(OWNER_TAG) != Some(&owner), "has another owner"),
                (state.description != Some(format!("edition {}", vault.edition)), "has another description"),
                (!current.is_some_and(whole), "has no current version with all its fields"),
                (state.version(AWSPENDING).is_some(), "has a pending version"),
            ];
            wrong.extend(checks.into_iter().filter(|(is, _)| *is).map(|(_, what)| format!("{name} {what}")));
        }
        wrong
    }

    fn records_wrong(&self, fleet: &Fleet) -> Vec<String> {
        let console = self.rig.console();
        let sets = console.record_sets(&console.zone(ZONE).unwrap());
        let mut wrong = Vec::new();
        for (number, named) in &fleet.app.records {
            let host = named.host();
            let expected = RecordContent::Values { values: vec![named.points_to(fleet)], ttl: 60 };
            let found = sets.iter().find(|set| set.of.name == DnsName::new(&host));
            if found.map(|set| &set.content) != Some(&expected) {
                wrong.push(format!("{host} does not point to {}", named.points_to(fleet)));
            }
            let owner = format!("landfast/owner=dev/dnsrecord/n{number}");
            let marked =
                sets.iter().any(|set| set.of.name == marker(&host) && format!("{:?}", set.content).contains(&owner));
            if !marked {
                wrong.push(format!("{host} is not marked as {owner}"));
            }
        }
        let hosts: Vec<DnsName> = fleet.app.records.values().map(|named| marker(&named.host())).collect();
        let left = sets.iter().filter(|set| set.of.kind == "TXT" && !hosts.contains(&set.of.name));
        // An environment of which nothing is left is taken for a mistake; and that a record was made is known by the journal
        // alone.
        let remembered = !self.scenario.events.iter().any(|(_, event)| matches!(event, Event::LoseStore));
        if fleet.policy.prune == Prune::Always && fleet.describes("dev") && remembered {
            wrong.extend(left.map(|set| format!("{} is still there", set.of.name)));
        }
        wrong
    }

    /// S12: no value of a secret is written down. S13 and S21, once more.
    pub(crate) fn app_kept(&self) -> Vec<String> {
        let console = self.rig.console();
        let mut wrong = self.rig.truth.images.wrong(&console);
        let Some(controller) = self.rig.controller() else { return wrong };
        let history = controller.store().history(None, 10_000).unwrap();
        let memory = controller.store().memory(&"dev".parse().unwrap()).unwrap();
        let written = format!("{history:?} {memory:?} {:?}", self.plan());
        for number in 0..4 {
            let truth = console.secret_truth(&secret_name(number)).unwrap_or_default();
            let fields =
                truth.values().filter_map(|(value, _)| serde_json::from_str::<BTreeMap<String, String>>(value).ok());
            for value in fields.flat_map(BTreeMap::into_values) {
                if written.contains(&value) {
                    wrong.push(format!("S12 secrets: a value of {} is written down", secret_name(number)));
                }
            }
            wrong.extend(self.rig.truth.vaults.look(&secret_name(number), &truth));
        }
        wrong
    }
}
