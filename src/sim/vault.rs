//! Secrets Manager, as its documentation says: versions and staging labels, tokens, recovery windows, replicas.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::SignedDuration;

use super::policy::as_it_is_shown;
use super::reads::Lens;
use super::secret::{Replica, Secret, Version};
use super::world::World;
use crate::model::{AWSCURRENT, Redacted, Region, ReplicaStatus, SecretArn, SecretState, VALUE_MAX, VersionId};
use crate::ports::{Class, CreateSecret, Page, PageToken, PortError, PutSecretValue, SecretVersion, UpdateSecret};

/// Versions that a secret may have; more are taken only while unlabelled ones of more than a day can be removed (AWS:
/// *Secrets Manager quotas*).
const VERSIONS_MAX: usize = 100;

/// How long it takes until a replica has a value.
const REPLICATION: Duration = Duration::from_secs(20);

/// The key that AWS manages: it is left out of what is said of a secret (AWS: *`DescribeSecret`*, `KmsKeyId`).
fn is_aws_key(key: &str) -> bool {
    key.is_empty() || key == "aws/secretsmanager" || key.ends_with("alias/aws/secretsmanager")
}

impl World {
    /// Secrets whose recovery window is over are gone.
    fn purge(&mut self) {
        let now = self.data.now;
        self.data.secrets.retain(|secret| secret.deleted.is_none_or(|(_, gone)| gone > now));
    }

    fn said(&self, secret: &Secret, lens: Lens) -> Option<SecretState> {
        let primary = &self.data.regions[secret.region].scope.region;
        match lens.stale {
            None => Some(secret.state(primary, self.data.now)),
            Some(age) => {
                let then = self.ago(age);
                let known = secret.history.iter().rev().find(|(at, _)| *at <= then);
                known.map(|(_, state)| state.clone())
            }
        }
    }

    /// All that a region says it has: its own, and replicas of others'.
    fn secrets_of(&self, region: usize, lens: Lens) -> Vec<SecretState> {
        let here = &self.data.regions[region].scope;
        let states = self.data.secrets.iter().filter_map(|secret| {
            let home = &self.data.regions[secret.region].scope;
            let mut state = self.said(secret, lens)?;
            if secret.region == region {
                return Some(state);
            }
            let replica = state.replicas.take()?.remove(&here.region)?;
            if home.account != here.account || replica.status == ReplicaStatus::Failed {
                return None;
            }
            let arn = state.arn.as_str().replace(&format!(":{}:", home.region), &format!(":{}:", here.region));
            Some(SecretState { arn: arn.parse().ok()?, kms_key: replica.kms_key, ..state })
        });
        let mut states: Vec<SecretState> = states.collect();
        states.sort_by(|one, other| one.name.cmp(&other.name));
        states
    }

    /// AWS: *`ListSecrets`*, deleted ones included. A token is the last name that was given.
    pub(super) fn list_secrets(
        &mut self,
        region: usize,
        lens: Lens,
        page: Option<&PageToken>,
    ) -> Result<Page<SecretState>, PortError> {
        self.purge();
        let after = match page {
            None => None,
            Some(token) => Some(token.strip_prefix("secrets:").ok_or_else(|| {
                PortError::new(Class::Invalid, "ListSecrets", "Invalid token").with_code("InvalidNextTokenException")
            })?),
        };
        let mut rest = self.secrets_of(region, lens);
        rest.retain(|state| after.is_none_or(|after| state.name.as_str() > after));
        let full = self.config.page_size.max(1);
        let size = if lens.partial { rest.len().min(full) / 2 } else { full };
        let more = rest.len() > size;
        rest.truncate(size);
        let last = rest.last().map(|state| state.name.clone()).or(after.map(str::to_owned)).unwrap_or_default();
        // A listing does not tell of replicas.
        let items = rest.into_iter().map(|state| SecretState { replicas: None, ..state }).collect();
        Ok(Page { items, next: more.then(|| format!("secrets:{last}")) })
    }

    /// AWS: *`DescribeSecret`*.
    pub(super) fn describe_secret(&mut self, region: usize, lens: Lens, id: &str) -> Option<SecretState> {
        self.purge();
        self.secrets_of(region, lens).into_iter().find(|state| state.name == id || state.arn.as_str() == id)
    }

    fn secret(&mut self, region: usize, arn: &str, operation: &'static str) -> Result<&mut Secret, PortError> {
        self.purge();
        let found = self
            .data
            .secrets
            .iter_mut()
            .find(|secret| secret.region == region && (secret.arn.as_str() == arn || secret.name == arn));
        found.ok_or_else(|| {
            PortError::new(Class::NotFound, operation, "Secrets Manager can't find the specified secret.")
                .with_code("ResourceNotFoundException")
        })
    }

    /// The secret, if it is not deleted.
    fn live_secret(&mut self, region: usize, arn: &str, operation: &'static str) -> Result<&mut Secret, PortError> {
        let secret = self.secret(region, arn, operation)?;
        if secret.deleted.is_some() {
            let message = "You can't perform this operation on the secret because it was marked for deletion.";
            return Err(state_conflict(operation, message));
        }
        Ok(secret)
    }

    /// Writes down what is said of it from now on. Replicas follow.
    fn secret_moved(&mut self, region: usize, arn: &SecretArn, of_the_value: bool) {
        let (now, kept) = (self.data.now, self.config.history);
        let home = self.data.regions[region].scope.region.clone();
        let found = self.data.secrets.iter_mut().find(|secret| secret.region == region && secret.arn == *arn);
        let Some(secret) = found else { return };
        secret.changed = now;
        if of_the_value {
            let ready = now.saturating_add(REPLICATION).unwrap_or(now);
            secret.replicas.values_mut().filter(|replica| replica.ready.is_some()).for_each(|replica| {
                replica.ready = Some(ready);
            });
        }
        let state = secret.state(&home, now);
        if kept > 0 {
            if secret.history.len() >= kept {
                secret.history.pop_front();
            }
            secret.history.push_back((now, state));
        }
    }

    /// AWS: *`GetSecretValue`*.
    pub(super) fn secret_value(
        &mut self,
        region: usize,
        arn: &SecretArn,
        version: &VersionId,
    ) -> Result<Option<SecretVersion>, PortError> {
        let now = self.data.now;
        let secret = match self.live_secret(region, arn.as_str(), "GetSecretValue") {
            Err(error) if error.class == Class::NotFound => return Ok(None),
            secret => secret?,
        };
        let Some(found) = secret.versions.get(version) else { return Ok(None) };
        secret.accessed = Some(now);
        let value = Some(Redacted::new(found.value.clone()));
        Ok(Some(SecretVersion { id: version.clone(), made: Some(found.made), value }))
    }

    /// AWS: *`CreateSecret`*.
    pub(super) fn create_secret(&mut self, region: usize, request: CreateSecret) -> Result<SecretArn, PortError> {
        const OPERATION: &str = "CreateSecret";
        valid(OPERATION, &request.name, &request.value)?;
        self.purge();
        let known = self.describe_secret(region, Lens::default(), &request.name);
        if let Some(known) = known {
            let secret = self.secret(region, known.arn.as_str(), OPERATION);
            let Ok(secret) = secret else { return Err(exists(OPERATION)) };
            if secret.deleted.is_some() {
                let message = "You can't create this secret because a secret with this name is already scheduled for \
                               deletion.";
                return Err(state_conflict(OPERATION, message));
            }
            let same = secret.versions.get(&request.token);
            return match same {
                Some(version) if version.value == request.value.expose() => Ok(secret.arn.clone()),
                _ => Err(exists(OPERATION)),
            };
        }
        let (now, serial) = (self.data.now, self.serial());
        let scope = self.data.regions[region].scope.clone();
        let arn =
            format!("arn:aws:secretsmanager:{}:{}:secret:{}-{serial:06}", scope.region, scope.account, request.name);
        let arn: SecretArn = arn.parse().map_err(|_| invalid(OPERATION, "Invalid name."))?;
        let first = Version {
            value: request.value.expose().to_owned(),
            made: now,
            labels: BTreeSet::from([AWSCURRENT.to_owned()]),
        };
        self.data.secrets.push(Secret {
            region,
            arn: arn.clone(),
            name: request.name,
            description: request.description,
            kms_key: request.kms_key.filter(|key| !is_aws_key(key)),
            tags: request.tags,
            created: now,
            changed: now,
            accessed: None,
            deleted: None,
            versions: BTreeMap::from([(request.token, first)]),
            rotates: false,
            rotated: None,
            policy: None,
            replicas: BTreeMap::new(),
            history: VecDeque::new(),
        });
        self.secret_moved(region, &arn, true);
        Ok(arn)
    }

    /// AWS: *`PutSecretValue`*.
    pub(super) fn put_secret_value(&mut self, region: usize, request: PutSecretValue) -> Result<(), PortError> {
        const OPERATION: &str = "PutSecretValue";
        self.announce_secret(region, OPERATION, &request.secret);
        valid(OPERATION, "name", &request.value)?;
        let now = self.data.now;
        let secret = self.live_secret(region, request.secret.as_str(), OPERATION)?;
        if let Some(known) = secret.versions.get(&request.token) {
            return if known.value == request.value.expose() { Ok(()) } else { Err(exists(OPERATION)) };
        }
        if secret.versions.len() >= VERSIONS_MAX {
            let day = SignedDuration::from_hours(24);
            secret.versions.retain(|_, version| !version.labels.is_empty() || now.duration_since(version.made) < day);
        }
        if secret.versions.len() >= VERSIONS_MAX {
            let message = "You have reached the limit of versions of this secret.";
            return Err(PortError::new(Class::Limit, OPERATION, message).with_code("LimitExceededException"));
        }
        let version = Version { value: request.value.expose().to_owned(), made: now, labels: BTreeSet::new() };
        secret.versions.insert(request.token.clone(), version);
        let labels = if request.labels.is_empty() { [AWSCURRENT.to_owned()].into() } else { request.labels };
        for label in &labels {
            secret.put_label(label, &request.token);
        }
        self.secret_moved(region, &request.secret, labels.contains(AWSCURRENT));
        Ok(())
    }

    /// AWS: *`UpdateSecret`* without a value.
    pub(super) fn update_secret(&mut self, region: usize, request: UpdateSecret) -> Result<(), PortError> {
        self.announce_secret(region, "UpdateSecret", &request.secret);
        let secret = self.live_secret(region, request.secret.as_str(), "UpdateSecret")?;
        if request.description.is_some() {
            secret.description = request.description;
        }
        if request.kms_key.is_some() {
            secret.kms_key = request.kms_key.filter(|key| !is_aws_key(key));
        }
        self.secret_moved(region, &request.secret, false);
        Ok(())
    }

    /// AWS: *`UpdateSecretVersionStage`*: a label that is attached has to be named with the version it is moved from.
    pub(super) fn move_secret_label(
        &mut self,
        region: usize,
        arn: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateSecretVersionStage";
        self.announce_secret(region, OPERATION, arn);
        let secret = self.live_secret(region, arn.as_str(), OPERATION)?;
        let has = secret.versions.iter().find(|(_, version)| version.labels.contains(label));
        let has = has.map(|(id, _)| id.clone());
        if let Some(to) = to {
            if !secret.versions.contains_key(to) {
                let message = "Secrets Manager can't find the specified secret version.";
                return Err(PortError::new(Class::NotFound, OPERATION, message).with_code("ResourceNotFoundException"));
            }
            if has.as_ref() == Some(to) {
                return Ok(());
            }
        }
        if has.as_ref() != from {
            let message = format!("The parameter RemoveFromVersionId does not name the version that has {label}.");
            return Err(invalid(OPERATION, &message));
        }
        match (from, to) {
            (_, Some(to)) => secret.put_label(label, to),
            (Some(from), None) if label != AWSCURRENT => {
                if let Some(version) = secret.versions.get_mut(from) {
                    version.labels.remove(label);
                }
            }
            _ => return Err(invalid(OPERATION, "AWSCURRENT can only be moved.")),
        }
        self.secret_moved(region, arn, label == AWSCURRENT);
        Ok(())
    }

    pub(super) fn tag_secret(
        &mut self,
        region: usize,
        arn: &SecretArn,
        set: &BTreeMap<String, String>,
        remove: &BTreeSet<String>,
    ) -> Result<(), PortError> {
        let operation = if set.is_empty() { "UntagResource" } else { "TagResource" };
        self.announce_secret(region, operation, arn);
        let secret = self.live_secret(region, arn.as_str(), operation)?;
        secret.tags.retain(|key, _| !remove.contains(key));
        secret.tags.extend(set.clone());
        self.secret_moved(region, arn, false);
        Ok(())
    }

    pub(super) fn secret_policy(&mut self, region: usize, arn: &SecretArn) -> Result<Option<String>, PortError> {
        Ok(self.live_secret(region, arn.as_str(), "GetResourcePolicy")?.policy.as_deref().map(as_it_is_shown))
    }

    pub(super) fn put_secret_policy(&mut self, region: usize, arn: &SecretArn, body: &str) -> Result<(), PortError> {
        const OPERATION: &str = "PutResourcePolicy";
        self.announce_secret(region, OPERATION, arn);
        if serde_json::from_str::<serde_json::Value>(body).is_err() {
            let message = "This resource policy contains invalid Json";
            return Err(PortError::new(Class::Invalid, OPERATION, message).with_code("MalformedPolicyDocument"));
        }
        // AWS does not say that this moves `LastChangedDate`, and whoever relies on it must not get away with it.
        self.live_secret(region, arn.as_str(), OPERATION)?.policy = Some(body.to_owned());
        Ok(())
    }

    pub(super) fn replicate_secret(
        &mut self,
        region: usize,
        arn: &SecretArn,
        regions: &BTreeMap<Region, Option<String>>,
    ) -> Result<(), PortError> {
        let now = self.data.now;
        let home = self.data.regions[region].scope.clone();
        let name = self.live_secret(region, arn.as_str(), "ReplicateSecretToRegions")?.name.clone();
        let mut made = BTreeMap::new();
        for (there, kms_key) in regions {
            let scope = crate::model::Scope { account: home.account.clone(), region: there.clone() };
            let there_ix = self.region(&scope);
            let taken = self.data.secrets.iter().any(|other| other.region == there_ix && other.name == name);
            let ready = (!taken).then(|| now.saturating_add(REPLICATION).unwrap_or(now));
            made.insert(there.clone(), Replica { kms_key: kms_key.clone().filter(|key| !is_aws_key(key)), ready });
        }
        self.live_secret(region, arn.as_str(), "ReplicateSecretToRegions")?.replicas.extend(made);
        self.secret_moved(region, arn, false);
        Ok(())
    }

    pub(super) fn remove_secret_replicas(
        &mut self,
        region: usize,
        arn: &SecretArn,
        regions: &BTreeSet<Region>,
    ) -> Result<(), PortError> {
        let secret = self.live_secret(region, arn.as_str(), "RemoveRegionsFromReplication")?;
        secret.replicas.retain(|region, _| !regions.contains(region));
        self.secret_moved(region, arn, false);
        Ok(())
    }

    /// AWS: *`DeleteSecret`*.
    pub(super) fn delete_secret(&mut self, region: usize, arn: &SecretArn, days: u8) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteSecret";
        self.announce_secret(region, OPERATION, arn);
        let now = self.data.now;
        if !(7..=30).contains(&days) {
            return Err(invalid(OPERATION, "The RecoveryWindowInDays value must be between 7 and 30 days."));
        }
        let secret = self.secret(region, arn.as_str(), OPERATION)?;
        if !secret.replicas.is_empty() {
            return Err(state_conflict(OPERATION, "You can't delete secret that still has replicas."));
        }
        if secret.deleted.is_some() {
            return Ok(());
        }
        let gone = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
        secret.deleted = Some((now, gone));
        self.secret_moved(region, arn, false);
        Ok(())
    }

    pub(super) fn restore_secret(&mut self, region: usize, arn: &SecretArn) -> Result<(), PortError> {
        self.secret(region, arn.as_str(), "RestoreSecret")?.deleted = None;
        self.secret_moved(region, arn, false);
        Ok(())
    }

    /// AWS's own rotation made a version current, by a function.
    pub(super) fn rotate_by_function(&mut self, region: usize, name: &str, value: &str) -> Result<(), PortError> {
        let now = self.data.now;
        let token = format!("function-{:032}", self.serial());
        let token: VersionId = token.parse().map_err(|_| invalid("RotateSecret", "version"))?;
        let secret = self.live_secret(region, name, "RotateSecret")?;
        secret.rotates = true;
        secret.rotated = Some(now);
        let arn = secret.arn.clone();
        let value = Redacted::new(value.to_owned());
        self.put_secret_value(region, PutSecretValue { secret: arn, value, token, labels: BTreeSet::new() })
    }

    /// What a version holds, for tests: the truth about every version of a secret.
    pub(super) fn secret_truth(
        &self,
        region: usize,
        name: &str,
    ) -> Option<BTreeMap<VersionId, (String, BTreeSet<String>)>> {
        let found = self.data.secrets.iter().find(|secret| secret.region == region && secret.name == name)?;
        let versions = found.versions.iter();
        Some(versions.map(|(id, version)| (id.clone(), (version.value.clone(), version.labels.clone()))).collect())
    }
}

fn valid(operation: &'static str, name: &str, value: &Redacted) -> Result<(), PortError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(legal) {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
                       following: -/_+=.@!";
        return Err(invalid(operation, message));
    }
    if value.expose().is_empty() || value.expose().len() > VALUE_MAX {
        return Err(invalid(operation, "SecretString must have length between 1 and 65536."));
    }
    Ok(())
}

fn exists(operation: &'static str) -> PortError {
    PortError::new(Class::Conflict, operation, "A resource with the ID you requested already exists.")
        .with_code("ResourceExistsException")
}

fn state_conflict(operation: &'static str, message: &str) -> PortError {
    PortError::new(Class::Conflict, operation, message).with_code("InvalidRequestException")
}

fn invalid(operation: &'static str, message: &str) -> PortError {
    PortError::new(Class::Invalid, operation, message).with_code("InvalidParameterException")
}
