//! Somebody in the account who may create and delete change sets, write to the bucket and tag stacks, and means no good: theirs
//! are there before ours and in the place of ours, under our names, and nothing of it is ever executed (S22, S23). It starves
//! nothing either: what is asked for converges while this goes on (L1).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use landfast::model::{ChangeSetName, ChangeSetStatus, DeploymentMode, StackId, StackOptions};
use landfast::ports::{CreateChangeSet, Stacks, TemplateSource};
use landfast::sim::Console;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::scenario::{Act, Event, Scenario};

/// What their change sets would make of a stack.
const EVIL: &str = "Parameters: { Size: { Type: String, Default: a }, Upstream: { Type: String, Default: b }, \
    Secret: { Type: String, Default: c } }\nResources: { Evil: { Type: AWS::SNS::Topic } }";

/// What their change sets would be executed with: AWS does not say which role a change set has.
const ROLE: &str = "arn:aws:iam::111122223333:role/evil";

impl Scenario {
    /// Gives a fifth of all seeds somebody who means no good.
    pub(crate) fn add_intruder(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xe711);
        self.hostile = rng.random_bool(0.2);
        if self.hostile {
            for _ in 0..rng.random_range(0..3) {
                let (at, stack) = (rng.random_range(0..self.until), rng.random_range(0..8));
                self.events.push((at, Event::Console { stack, act: Act::Forge }));
            }
            self.events.sort_by_key(|(at, _)| *at);
        }
        for unit in self.fleet.units.values_mut() {
            unit.large = self.hostile && rng.random_bool(0.3);
        }
    }
}

/// Nobody, until somebody appears.
#[derive(Default)]
pub(crate) struct Intruder(Mutex<Option<Somebody>>);

struct Somebody {
    rng: ChaCha8Rng,
    /// What we have asked for: theirs is just like it, but for what cannot be seen.
    seen: BTreeMap<(StackId, ChangeSetName), CreateChangeSet>,
}

impl Intruder {
    pub(crate) fn appears(&self, seed: u64) {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0xbad);
        *self.0.lock().unwrap() = Some(Somebody { rng, seen: BTreeMap::new() });
    }

    fn feels_like(&self, odds: f64) -> bool {
        self.0.lock().unwrap().as_mut().is_some_and(|somebody| somebody.rng.random_bool(odds))
    }

    /// Our request is on its way: theirs may be there first, under the same name, and beside it; and what AWS gets may not be
    /// what we have sent.
    pub(crate) fn meets(&self, console: &Console, mut request: CreateChangeSet) -> CreateChangeSet {
        if let Some(somebody) = self.0.lock().unwrap().as_mut() {
            somebody.seen.insert((request.stack.clone(), request.name.clone()), request.clone());
        }
        if self.feels_like(0.2) {
            let _ = console.create_change_set(self.theirs(&request.stack, &request.name));
        }
        if self.feels_like(0.2) {
            let name = self.like_ours();
            let _ = console.create_change_set(self.theirs(&request.stack, &name));
        }
        if self.feels_like(0.04) {
            request.template = TemplateSource::Body(EVIL.into());
            request.options.parameters.clear();
        } else if self.feels_like(0.05) {
            request.options.tags.insert("Edition".to_owned(), "evil".to_owned());
        }
        request
    }

    /// Ours is computed: theirs may take its place.
    pub(crate) async fn replaces(&self, console: &Console, stacks: &Arc<dyn Stacks>, stack: &StackId) {
        if !self.feels_like(0.15) {
            return;
        }
        let Ok(page) = stacks.change_sets(stack, None).await else { return };
        for set in page.items.iter().filter(|set| set.status == ChangeSetStatus::Available) {
            if console.delete_change_set(stack, &set.name).is_ok() {
                let _ = console.create_change_set(self.theirs(stack, &set.name));
            }
        }
    }

    /// A template is in the bucket: theirs may be its newest version.
    pub(crate) fn overwrites(&self, console: &Console, bucket: &str, key: &str) {
        if self.feels_like(0.4) {
            console.put_object(bucket, key, EVIL);
        }
    }

    /// One that holds something else, or one that holds what ours would and has another role.
    fn theirs(&self, stack: &StackId, name: &ChangeSetName) -> CreateChangeSet {
        let evil = CreateChangeSet {
            stack: stack.clone(),
            name: name.clone(),
            template: TemplateSource::Body(EVIL.into()),
            options: StackOptions::default(),
            mode: DeploymentMode::Ordinary,
            nested: false,
        };
        if self.feels_like(0.5) {
            return evil;
        }
        let inner = self.0.lock().unwrap();
        let seen = inner.as_ref().and_then(|somebody| somebody.seen.get(&(stack.clone(), name.clone())).cloned());
        seen.map_or(evil, |seen| {
            let options = StackOptions { role_arn: Some(ROLE.to_owned()), ..seen.options };
            CreateChangeSet { options, ..seen }
        })
    }

    fn like_ours(&self) -> ChangeSetName {
        let number = self.0.lock().unwrap().as_mut().map_or(0, |somebody| somebody.rng.random::<u64>());
        format!("landfast-{number:064x}").parse().unwrap()
    }
}
