//! Versions, staging labels, tokens, recovery windows: what Secrets Manager documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfast::model::{
    AWSCURRENT, AWSPENDING, AWSPREVIOUS, Redacted, ReplicaStatus, Scope, SecretArn, SecretState, VersionId,
};
use landfast::ports::{Class, CreateSecret, PutSecretValue, Secrets, UpdateSecret};

use super::{Backend, FENCE, all, tags};

fn door(backend: &Backend) -> Arc<dyn Secrets> {
    let scope = Scope { account: backend.account.clone(), region: "us-east-1".parse().unwrap() };
    backend.cloud.secrets(&scope, backend.role.as_ref())
}

/// A version id; `number` tells them apart.
fn version(number: u8) -> VersionId {
    format!("landfast-contract-version-000000000-{number:03}").parse().unwrap()
}

fn create(name: &str) -> CreateSecret {
    CreateSecret {
        name: name.to_owned(),
        value: Redacted::new("first-canary".to_owned()),
        token: version(1),
        description: Some("what it is".to_owned()),
        kms_key: None,
        tags: tags(&[("landfast:owner", "test"), ("Team", "people")]),
    }
}

fn put(arn: &SecretArn, value: &str, number: u8, labels: &[&str]) -> PutSecretValue {
    PutSecretValue {
        secret: arn.clone(),
        value: Redacted::new(value.to_owned()),
        token: version(number),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    }
}

async fn state(secrets: &dyn Secrets, name: &str) -> SecretState {
    secrets.describe(name).await.unwrap().unwrap()
}

/// The first version of a new secret. *`CreateSecret`*: its id is the token; the emulator makes one up.
async fn first(backend: &Backend, secrets: &dyn Secrets, name: &str) -> VersionId {
    let current = state(secrets, name).await.current().unwrap().clone();
    assert!(backend.is_emulator || current == version(1), "{current}");
    current
}

async fn read(secrets: &dyn Secrets, arn: &SecretArn, version: &VersionId) -> String {
    secrets.value(arn, version).await.unwrap().unwrap().value.unwrap().expose().to_owned()
}

async fn value(secrets: &dyn Secrets, arn: &SecretArn, number: u8) -> String {
    let found = secrets.value(arn, &version(number)).await.unwrap().unwrap();
    assert_eq!(found.id, version(number));
    found.value.unwrap().expose().to_owned()
}

pub async fn a_secret_says_what_it_was_created_with(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("dev/app")).await.unwrap();
    let found = state(&*secrets, "dev/app").await;
    assert_eq!((&found.arn, found.name.as_str()), (&arn, "dev/app"));
    assert_eq!(found.tags, create("x").tags);
    assert_eq!(found.description.as_deref(), Some("what it is"));
    let one = first(backend, &*secrets, "dev/app").await;
    assert_eq!((found.current(), found.pending(), found.deleted), (Some(&one), None, None));
    assert!(!found.rotates);
    assert_eq!(read(&*secrets, &arn, &one).await, "first-canary");
    let listed = all(|page| secrets.list(page)).await;
    assert_eq!(listed.iter().map(|secret| (&secret.arn, secret.current())).collect::<Vec<_>>(), [(&arn, Some(&one))]);
    assert_eq!(listed[0].tags, found.tags);
}

pub async fn a_token_is_good_for_one_value(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("once")).await.unwrap();
    // *CreateSecret*: the same token and value again is recognised. The emulator looks at the name only.
    match secrets.create(FENCE, create("once")).await {
        Ok(again) => assert_eq!(again, arn),
        Err(error) => assert!(backend.is_emulator && error.class == Class::Conflict, "{error}"),
    }
    let other = CreateSecret { value: Redacted::new("other-canary".to_owned()), ..create("once") };
    let error = secrets.create(FENCE, other).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict);
    assert!(!format!("{error} {error:?}").contains("canary"));
    secrets.put_value(FENCE, put(&arn, "second-canary", 2, &[AWSCURRENT])).await.unwrap();
    // *PutSecretValue*: "If a version with this value already exists … the request is ignored".
    secrets.put_value(FENCE, put(&arn, "second-canary", 2, &[AWSCURRENT])).await.unwrap();
    let found = state(&*secrets, "once").await;
    assert_eq!(found.current(), Some(&version(2)));
    if !backend.is_emulator {
        // The emulator drops the label on the second request.
        assert_eq!(found.version(AWSPREVIOUS), Some(&version(1)));
        let error = secrets.put_value(FENCE, put(&arn, "third-canary", 2, &[AWSCURRENT])).await.unwrap_err();
        assert_eq!(error.class, Class::Conflict);
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(value(&*secrets, &arn, 2).await, "second-canary");
    }
}

pub async fn the_previous_version_keeps_its_label(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("labels")).await.unwrap();
    secrets.put_value(FENCE, put(&arn, "second", 2, &[AWSCURRENT])).await.unwrap();
    secrets.put_value(FENCE, put(&arn, "third", 3, &[AWSCURRENT])).await.unwrap();
    let found = state(&*secrets, "labels").await;
    assert_eq!((found.current(), found.version(AWSPREVIOUS)), (Some(&version(3)), Some(&version(2))));
    assert!(!found.versions.contains_key(&version(1)), "versions without a label are deprecated");
    assert_eq!(value(&*secrets, &arn, 3).await, "third");
    assert_eq!(value(&*secrets, &arn, 2).await, "second");
}

pub async fn a_pending_version_becomes_current_when_the_label_is_moved(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("rotated")).await.unwrap();
    let one = first(backend, &*secrets, "rotated").await;
    secrets.put_value(FENCE, put(&arn, "second", 2, &[AWSPENDING])).await.unwrap();
    let found = state(&*secrets, "rotated").await;
    assert_eq!((found.current(), found.pending()), (Some(&one), Some(&version(2))));
    secrets.move_label(FENCE, &arn, AWSCURRENT, Some(&one), Some(&version(2))).await.unwrap();
    let found = state(&*secrets, "rotated").await;
    assert_eq!((found.current(), found.version(AWSPREVIOUS)), (Some(&version(2)), Some(&one)));
    assert_eq!(found.pending(), None, "pending on the current version is what a rotation leaves behind");
    secrets.move_label(FENCE, &arn, AWSPENDING, Some(&version(2)), None).await.unwrap();
    let found = state(&*secrets, "rotated").await;
    assert_eq!(found.version(AWSPENDING), None);
    assert_eq!(found.current(), Some(&version(2)));
}

pub async fn a_deleted_secret_keeps_its_name_and_can_be_restored(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("window")).await.unwrap();
    let one = first(backend, &*secrets, "window").await;
    assert_eq!(secrets.delete(FENCE, &arn, 6).await.unwrap_err().class, Class::Invalid);
    secrets.delete(FENCE, &arn, 7).await.unwrap();
    assert!(state(&*secrets, "window").await.deleted.is_some());
    let listed = all(|page| secrets.list(page)).await;
    assert!(listed.iter().any(|secret| secret.arn == arn && secret.deleted.is_some()), "{listed:?}");
    if !backend.is_moto {
        // *DeleteSecret*: until the window is over, the name is taken. moto makes another secret in its place.
        assert_eq!(secrets.create(FENCE, create("window")).await.unwrap_err().class, Class::Conflict);
    }
    let error = secrets.value(&arn, &one).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict, "{error}");
    secrets.restore(FENCE, &arn).await.unwrap();
    assert_eq!(state(&*secrets, "window").await.deleted, None);
    assert_eq!(read(&*secrets, &arn, &one).await, "first-canary");
}

pub async fn settings_tags_and_policy_are_kept(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("settings")).await.unwrap();
    let description = Some("another".to_owned());
    let kms_key = Some("alias/app".to_owned());
    secrets.update(FENCE, UpdateSecret { secret: arn.clone(), description, kms_key }).await.unwrap();
    secrets.tag(FENCE, &arn, &tags(&[("Team", "others"), ("Stage", "dev")])).await.unwrap();
    secrets.untag(FENCE, &arn, &BTreeSet::from(["Stage".to_owned()])).await.unwrap();
    let found = state(&*secrets, "settings").await;
    assert_eq!(found.description.as_deref(), Some("another"));
    assert!(found.kms_key.unwrap().ends_with("alias/app"));
    assert_eq!(found.tags, tags(&[("landfast:owner", "test"), ("Team", "others")]));
    assert_eq!((found.versions.len(), secrets.policy(&arn).await.unwrap()), (1, None));
    let body = r#"{"Version":"2012-10-17","Statement":[]}"#;
    secrets.put_policy(FENCE, &arn, body).await.unwrap();
    assert_eq!(secrets.policy(&arn).await.unwrap().as_deref(), Some(body));
}

pub async fn a_missing_secret_is_none_and_not_an_error(backend: &Backend) {
    let secrets = door(backend);
    assert_eq!(secrets.describe("missing").await.unwrap(), None);
    let arn = format!("arn:aws:secretsmanager:us-east-1:{}:secret:missing-AbCdEf", backend.account);
    let arn: SecretArn = arn.parse().unwrap();
    assert!(secrets.value(&arn, &version(1)).await.unwrap().is_none());
    let error = secrets.put_value(FENCE, put(&arn, "canary", 1, &[AWSCURRENT])).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound);
}

pub async fn a_replica_is_told_of_and_can_be_removed(backend: &Backend) {
    let secrets = door(backend);
    let arn = secrets.create(FENCE, create("copied")).await.unwrap();
    let region: landfast::model::Region = "eu-central-1".parse().unwrap();
    secrets.replicate(FENCE, &arn, &BTreeMap::from([(region.clone(), None)])).await.unwrap();
    backend.cx.sleep(if backend.is_emulator { Duration::from_millis(50) } else { Duration::from_mins(1) }).await;
    let replicas = state(&*secrets, "copied").await.replicas.unwrap();
    assert_eq!(
        replicas.iter().map(|(at, replica)| (at, replica.status)).collect::<Vec<_>>(),
        [(&region, ReplicaStatus::InSync)]
    );
    if backend.is_emulator {
        // It deletes a primary that has replicas, and does not know *RemoveRegionsFromReplication*.
        return;
    }
    // *DeleteSecret*: a primary that has replicas cannot be deleted.
    assert_eq!(secrets.delete(FENCE, &arn, 7).await.unwrap_err().class, Class::Conflict);
    secrets.remove_replicas(FENCE, &arn, &BTreeSet::from([region])).await.unwrap();
    assert_eq!(state(&*secrets, "copied").await.replicas, Some(BTreeMap::new()));
}

pub async fn a_list_has_every_secret_once_however_many_pages_it_takes(backend: &Backend) {
    const COUNT: usize = 120;
    let secrets = door(backend);
    let mut wanted = Vec::new();
    for number in 0..COUNT {
        wanted.push(secrets.create(FENCE, create(&format!("many-{number:03}"))).await.unwrap());
    }
    let first = secrets.list(None).await.unwrap();
    assert!(first.next.is_some() && first.items.len() < COUNT, "one page has {}", first.items.len());
    let mut listed: Vec<_> = all(|page| secrets.list(page)).await.into_iter().map(|secret| secret.arn).collect();
    listed.sort();
    wanted.sort();
    assert_eq!(listed, wanted);
}
