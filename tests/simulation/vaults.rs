//! The rules of secrets (S1, S2, S13), checked at every call that changes one, against the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfast::model::{
    AWSCURRENT, AWSPREVIOUS, Desired, Key, OWNER_TAG, Prune, Region, SecretArn, SecretState, VersionId,
};
use landfast::ports::{
    CreateSecret, Fence, Page, PageToken, PortError, PutSecretValue, SecretVersion, Secrets, UpdateSecret,
};
use landfast::sim::{Console, SecretTruth};

use crate::spy::Life;

type Answer<T> = Result<T, PortError>;

/// What a monitor knows of secrets beside the world itself.
#[derive(Default)]
pub(crate) struct Vaults {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Whose each name is.
    keys: BTreeMap<String, Key>,
    /// What was current when it was looked at last.
    current: BTreeMap<String, (VersionId, BTreeMap<String, String>)>,
}

fn current(truth: &SecretTruth) -> Vec<(&VersionId, BTreeMap<String, String>)> {
    let current = truth.iter().filter(|(_, (_, labels))| labels.contains(AWSCURRENT));
    current.map(|(version, (value, _))| (version, serde_json::from_str(value).unwrap_or_default())).collect()
}

impl Vaults {
    pub(crate) fn published(&self, desired: &Desired) {
        let specs = desired.environments.values().flat_map(|environment| environment.secrets.values());
        self.inner.lock().unwrap().keys.extend(specs.map(|spec| (spec.name.clone(), spec.key.clone())));
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.inner.lock().unwrap().keys.keys().cloned().collect()
    }

    /// Somebody else has changed it: that is how it is now.
    pub(crate) fn by_hand(&self, name: &str, truth: &SecretTruth) {
        let now = current(truth).first().map(|(version, fields)| ((*version).clone(), fields.clone()));
        let mut inner = self.inner.lock().unwrap();
        match now {
            Some(now) => _ = inner.current.insert(name.to_owned(), now),
            None => _ = inner.current.remove(name),
        }
    }

    /// S13: one version is current, and it is the one of before, with what was missing added, or one of a rotation that
    /// keeps the one before.
    pub(crate) fn look(&self, name: &str, truth: &SecretTruth) -> Vec<String> {
        let now = current(truth);
        let mut inner = self.inner.lock().unwrap();
        let Some((version, fields)) = now.first() else {
            let lost = inner.current.contains_key(name) && !truth.is_empty();
            return lost.then(|| format!("S13 rotation: {name} has no current version any more")).into_iter().collect();
        };
        let mut wrong = Vec::new();
        let key = inner.keys.get(name).cloned();
        if let Some((before, known)) = inner.current.get(name).filter(|(before, _)| before != *version) {
            let rotated = key.is_some_and(|key| version.rotation_of(&key).is_some());
            for (field, value) in known {
                match fields.get(field) {
                    None => wrong.push(format!("S13 rotation: {name} has lost its field {field}")),
                    Some(now) if !rotated && now != value => {
                        wrong.push(format!("S13 rotation: the field {field} of {name} was made again"));
                    }
                    Some(_) => {}
                }
            }
            let kept = truth.get(before).is_some_and(|(_, labels)| labels.contains(AWSPREVIOUS));
            if rotated && !kept {
                wrong.push(format!("S13 rotation: what {name} was before its rotation is not kept"));
            }
        }
        inner.current.insert(name.to_owned(), ((*version).clone(), fields.clone()));
        wrong
    }
}

/// The name in a secret's ARN, which ends in a hyphen and six characters.
fn name_of(secret: &SecretArn) -> String {
    let name = secret.as_str().rsplit(':').next().unwrap_or_default();
    name.get(..name.len().saturating_sub(7)).unwrap_or(name).to_owned()
}

pub(crate) struct Door {
    pub(crate) inner: Arc<dyn Secrets>,
    pub(crate) life: Arc<Life>,
    pub(crate) console: Console,
}

impl Door {
    fn departs(&self, operation: &'static str, secret: &SecretArn, fence: Fence) -> crate::spy::Flight<'_> {
        let name = name_of(secret);
        let truth = &self.life.truth;
        let owner = self.console.secret(&name).map(|state| state.tags.get(OWNER_TAG).cloned());
        let desired = truth.desired(fence.revision);
        let specs = desired.iter().flat_map(|desired| desired.environments.values());
        let spec = specs.flat_map(|environment| environment.secrets.values()).find(|spec| spec.name == name);
        match owner {
            Some(None) if spec.is_some_and(|spec| spec.adopt) => {}
            Some(None) => truth.blame(format!("S1 ownership: {name} is nobody's, and {operation} changes it")),
            Some(Some(owner)) if spec.is_some_and(|spec| spec.key.to_string() != owner) => {
                truth.blame(format!("S1 ownership: {name} belongs to {owner}, and {operation} changes it"));
            }
            // Ours; or gone, and what is gone cannot be harmed.
            Some(Some(_)) | None => {}
        }
        let takes = ["DeleteSecret", "RemoveRegionsFromReplication"].contains(&operation);
        if takes && spec.is_some() {
            truth.blame(format!("S2 consent: {name} is wanted, and {operation} takes from it"));
        }
        if takes && let Some(desired) = &desired {
            let environment = desired.environments.get(&"dev".parse().unwrap());
            if environment.is_none_or(|environment| environment.policy.prune != Prune::Always) {
                truth.blame(format!("S2 consent: {operation} of {name}: pruning is not allowed"));
            }
        }
        self.life.depart(operation, &format!("secret/{}", name.replace('/', "-")))
    }
}

#[async_trait]
impl Secrets for Door {
    async fn list(&self, page: Option<PageToken>) -> Answer<Page<SecretState>> {
        self.inner.list(page).await
    }
    async fn describe(&self, secret: &str) -> Answer<Option<SecretState>> {
        self.inner.describe(secret).await
    }
    async fn value(&self, secret: &SecretArn, version: &VersionId) -> Answer<Option<SecretVersion>> {
        self.inner.value(secret, version).await
    }
    async fn create(&self, fence: Fence, request: CreateSecret) -> Answer<SecretArn> {
        let _flight = self.life.depart("CreateSecret", &format!("secret/{}", request.name.replace('/', "-")));
        self.inner.create(fence, request).await
    }
    async fn put_value(&self, fence: Fence, request: PutSecretValue) -> Answer<()> {
        let _flight = self.departs("PutSecretValue", &request.secret, fence);
        self.inner.put_value(fence, request).await
    }
    async fn update(&self, fence: Fence, request: UpdateSecret) -> Answer<()> {
        let _flight = self.departs("UpdateSecret", &request.secret, fence);
        self.inner.update(fence, request).await
    }
    async fn move_label(
        &self,
        fence: Fence,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Answer<()> {
        let _flight = self.departs("UpdateSecretVersionStage", secret, fence);
        self.inner.move_label(fence, secret, label, from, to).await
    }
    async fn tag(&self, fence: Fence, secret: &SecretArn, tags: &BTreeMap<String, String>) -> Answer<()> {
        let _flight = self.departs("TagResource", secret, fence);
        self.inner.tag(fence, secret, tags).await
    }
    async fn untag(&self, fence: Fence, secret: &SecretArn, keys: &BTreeSet<String>) -> Answer<()> {
        let _flight = self.departs("UntagResource", secret, fence);
        self.inner.untag(fence, secret, keys).await
    }
    async fn policy(&self, secret: &SecretArn) -> Answer<Option<String>> {
        self.inner.policy(secret).await
    }
    async fn put_policy(&self, fence: Fence, secret: &SecretArn, body: &str) -> Answer<()> {
        let _flight = self.departs("PutResourcePolicy", secret, fence);
        self.inner.put_policy(fence, secret, body).await
    }
    async fn replicate(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeMap<Region, Option<String>>,
    ) -> Answer<()> {
        let _flight = self.departs("ReplicateSecretToRegions", secret, fence);
        self.inner.replicate(fence, secret, regions).await
    }
    async fn remove_replicas(&self, fence: Fence, secret: &SecretArn, regions: &BTreeSet<Region>) -> Answer<()> {
        let _flight = self.departs("RemoveRegionsFromReplication", secret, fence);
        self.inner.remove_replicas(fence, secret, regions).await
    }
    async fn delete(&self, fence: Fence, secret: &SecretArn, recovery_days: u8) -> Answer<()> {
        let _flight = self.departs("DeleteSecret", secret, fence);
        if recovery_days < 7 {
            self.life.truth.blame(format!("S2 consent: {secret} is deleted for {recovery_days} days"));
        }
        self.inner.delete(fence, secret, recovery_days).await
    }
    async fn restore(&self, fence: Fence, secret: &SecretArn) -> Answer<()> {
        let _flight = self.departs("RestoreSecret", secret, fence);
        self.inner.restore(fence, secret).await
    }
}
