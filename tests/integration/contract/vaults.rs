//! Vaults and recovery points: what AWS Backup documents.

use std::sync::Arc;

use landfast::model::{JobId, JobState, PointStatus, RecoveryPoint, RoleArn, Scope, TableName, VaultJob, VaultName};
use landfast::ports::{Class, StartBackup, StartCopy, StartRestore, Vaults};

use super::tables::active;
use super::{Backend, FENCE, PATIENCE, all, tags};

fn west(backend: &Backend) -> Scope {
    Scope { region: "us-west-2".parse().unwrap(), ..backend.scope() }
}

fn door(backend: &Backend, scope: &Scope) -> Arc<dyn Vaults> {
    backend.cloud.vaults(scope, backend.role.as_ref())
}

fn role(backend: &Backend) -> RoleArn {
    format!("arn:aws:iam::{}:role/backup", backend.account).parse().unwrap()
}

fn vault() -> VaultName {
    "landfast".parse().unwrap()
}

enum Sort {
    Backup,
    Copy,
    Restore,
}

/// A job, once it is over.
async fn ended(backend: &Backend, vaults: &dyn Vaults, sort: Sort, job: &JobId) -> VaultJob {
    let deadline = backend.cx.elapsed() + PATIENCE * 2;
    loop {
        let found = match sort {
            Sort::Backup => vaults.backup_job(job).await.unwrap(),
            Sort::Copy => vaults.copy_job(job).await.unwrap(),
            Sort::Restore => vaults.restore_job(job).await.unwrap(),
        };
        let found = found.expect("no such job");
        if !found.state.is_open() {
            return found;
        }
        assert!(backend.cx.elapsed() < deadline, "{job} never ends");
        backend.cx.sleep(backend.interval).await;
    }
}

async fn listed(backend: &Backend, vaults: &dyn Vaults, count: usize) -> Vec<RecoveryPoint> {
    let (deadline, vault) = (backend.cx.elapsed() + PATIENCE, vault());
    loop {
        let found = all(|page| vaults.points(&vault, page)).await;
        if found.len() == count {
            return found;
        }
        assert!(backend.cx.elapsed() < deadline, "there are {} recovery points, not {count}", found.len());
        backend.cx.sleep(backend.interval).await;
    }
}

pub async fn a_recovery_point_is_made_once_copied_and_restored_elsewhere(backend: &Backend) {
    let (here, there) = (backend.scope(), west(backend));
    let (vaults, away) = (door(backend, &here), door(backend, &there));
    let people: TableName = "people".parse().unwrap();
    backend.workshop.make_table(&people, "id", None).await;
    backend.workshop.make_vault(&here, &vault()).await;
    backend.workshop.make_vault(&there, &vault()).await;
    let tables = backend.cloud.tables(&here, backend.role.as_ref());
    let arn = active(backend, &*tables, "people").await.arn;
    backend.workshop.put_item(&people, &serde_json::json!({ "id": { "S": "a" } }), None).await;
    let request = StartBackup {
        table: arn.clone(),
        vault: vault(),
        role: role(backend),
        token: "token-1".to_owned(),
        tags: tags(&[("landfast:owner", "test")]),
    };
    let job = vaults.start_backup(FENCE, request.clone()).await.unwrap();
    assert_eq!(vaults.start_backup(FENCE, request).await.unwrap(), job, "the token says that it is the same");
    let done = ended(backend, &*vaults, Sort::Backup, &job).await;
    assert_eq!((done.state, done.message), (JobState::Completed, None));
    let point = done.point.unwrap();
    let found = listed(backend, &*vaults, 1).await.remove(0);
    assert_eq!((&found.id, &found.table_arn, found.status), (&point, &arn, PointStatus::Available));
    assert!(found.completed.unwrap() >= found.created);
    assert_eq!(all(|page| vaults.tags(&point, page)).await, [("landfast:owner".to_owned(), "test".to_owned())]);
    let copy = StartCopy {
        point: point.clone(),
        from: vault(),
        to: format!("arn:aws:backup:us-west-2:{}:backup-vault:landfast", backend.account),
        role: role(backend),
        token: "token-2".to_owned(),
    };
    let job = vaults.start_copy(FENCE, copy.clone()).await.unwrap();
    assert_eq!(vaults.start_copy(FENCE, copy).await.unwrap(), job);
    let copied = ended(backend, &*vaults, Sort::Copy, &job).await.point.unwrap();
    assert_eq!(listed(backend, &*away, 1).await[0].id, copied);
    vaults.delete_point(FENCE, &vault(), &point).await.unwrap();
    vaults.delete_point(FENCE, &vault(), &point).await.unwrap();
    listed(backend, &*vaults, 0).await;
    let encryption = away.restore_metadata(&vault(), &copied).await.unwrap().unwrap();
    assert_eq!(encryption.get("encryptionType").map(String::as_str), Some("Default"), "{encryption:?}");
    let (to, token) = ("again".parse().unwrap(), "token-3".to_owned());
    let restore = StartRestore { point: copied, to, role: role(backend), encryption, token };
    let job = away.start_restore(FENCE, restore.clone()).await.unwrap();
    assert_eq!(away.start_restore(FENCE, restore).await.unwrap(), job);
    let done = ended(backend, &*away, Sort::Restore, &job).await;
    assert_eq!((done.state, done.table.unwrap().name()), (JobState::Completed, "again".parse().ok()));
    let tables = backend.cloud.tables(&there, backend.role.as_ref());
    let again = active(backend, &*tables, "again").await;
    assert_eq!(tables.sample(&again.name, &again.key, 0, 1, 10).await.unwrap().len(), 1);
}

pub async fn what_a_vault_does_not_have_is_said_so(backend: &Backend) {
    let vaults = door(backend, &backend.scope());
    assert_eq!(vaults.points(&vault(), None).await.unwrap_err().class, Class::NotFound);
    backend.workshop.make_vault(&backend.scope(), &vault()).await;
    assert!(vaults.points(&vault(), None).await.unwrap().items.is_empty());
    let none: JobId = "1EB3B5E7-9EB0-435A-A80B-108B488B0D45".parse().unwrap();
    assert_eq!(vaults.backup_job(&none).await.unwrap(), None);
    assert_eq!(vaults.copy_job(&none).await.unwrap(), None);
    assert_eq!(vaults.restore_job(&none).await.unwrap(), None);
    let point = format!("arn:aws:backup:us-east-1:{}:recovery-point:{none}", backend.account).parse().unwrap();
    assert_eq!(vaults.restore_metadata(&vault(), &point).await.unwrap(), None);
    assert_eq!(vaults.tags(&point, None).await.unwrap_err().class, Class::NotFound);
    vaults.delete_point(FENCE, &vault(), &point).await.unwrap();
    let table = format!("arn:aws:dynamodb:us-east-1:{}:table/gone", backend.account).parse().unwrap();
    let (role, token) = (role(backend), "token-1".to_owned());
    let request = StartBackup { table, vault: vault(), role, token, tags: tags(&[]) };
    assert_eq!(vaults.start_backup(FENCE, request).await.unwrap_err().class, Class::NotFound);
}

pub async fn a_backup_plan_says_what_it_does_and_to_which_tables(backend: &Backend) {
    let vaults = door(backend, &backend.scope());
    assert_eq!(all(|page| vaults.plans(page)).await, []);
    let table = format!("arn:aws:dynamodb:us-east-1:{}:table/people", backend.account);
    let taken = role(backend);
    backend.workshop.make_vault(&backend.scope(), &vault()).await;
    backend.workshop.make_plan(&backend.scope(), &vault(), &table, taken.as_str()).await;
    let plans = all(|page| vaults.plans(page)).await;
    let [(id, name)] = &plans[..] else { panic!("{plans:?}") };
    assert_eq!(name, "plan");
    let rules = vaults.rules(id).await.unwrap().unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!((&*rule.vault, rule.schedule.as_deref()), ("landfast", Some("cron(0 3 ? * * *)")));
    assert_eq!(
        (rule.zone.as_deref(), rule.delete_after_days, rule.cold_after_days),
        (Some("Europe/Berlin"), Some(35), None)
    );
    let selections = all(|page| vaults.selections(id, page)).await;
    let [selection] = &selections[..] else { panic!("{selections:?}") };
    let found = vaults.selection(id, selection).await.unwrap().unwrap();
    let (tags, other) = (std::collections::BTreeMap::new(), table.replace("people", "pets"));
    assert_eq!(found.role, taken.as_str());
    assert!(found.covers(&table.parse().unwrap(), &tags) && !found.covers(&other.parse().unwrap(), &tags));
    assert_eq!(vaults.rules("1EB3B5E7-9EB0-435A-A80B-108B488B0D45").await.unwrap(), None);
}
