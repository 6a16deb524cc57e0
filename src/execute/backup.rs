//! Steps of backup policies: a batch of tables each, every one with its own precondition, call and outcome.
//!
//! What is about to be made is written down first, by its name or its token. A name is not an idempotency token: after a
//! lost answer the planner looks for a backup of that name before it makes another one (invariant S9).

mod journal;
mod restore;

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{Executor, Outcome, Terms};
use crate::model::{
    Applied, AssumeRole, BackupDo, BackupMemory, BackupStep, CopyPoint, ExpirePoint, JobId, KeepSettings, MakeBackup,
    MakeWay, OWNER_TAG, PointKeeper, ProtectTable, RecoveryPoint, Scope, SetRecovery, Step, TableId, TableName, Tried,
};
use crate::ports::{Class, Fence, PortError, Priority, StartBackup, StartCopy, TableChange, Tables, Vaults, all};
use crate::store::{Record, RecordOutcome, StoreError};

/// What a call for one table came to.
enum Answer {
    /// It is done.
    Done,
    /// A backup was made.
    Made(Box<RecoveryPoint>),
    /// A table is being restored: the new one.
    Restoring(TableId),
    /// A job was begun.
    Begun(JobId),
}

/// One table's part of a step, and how it went.
struct Part {
    table: TableName,
    tried: Tried,
    answer: Result<Answer, Trouble>,
}

/// Why nothing came of it.
enum Trouble {
    /// It is not as the plan saw it: nothing was sent.
    Moved(String),
    /// It must not be done at all, whatever the plan says: nothing was sent.
    Forbidden(String),
    /// AWS refused, or did not answer.
    Failed(PortError),
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

impl Executor {
    /// Takes a step of a backup policy.
    pub(super) async fn take_on_backup(&self, step: &Step, backup: &BackupStep, terms: &Terms) -> Outcome {
        if let BackupDo::Note(notes) = &backup.action {
            let written = self.write_backup(step, RecordOutcome::Done, |memory, now| {
                for note in notes {
                    journal::note(memory, note, now);
                }
            });
            return written.map_or_else(Outcome::NotJournaled, |()| Outcome::Done);
        }
        let fence = match self.fence(step) {
            Ok(fence) => fence,
            Err(outcome) => return outcome,
        };
        let now = self.cx.now();
        let begun =
            self.begin_step(step, terms, (line(step, RecordOutcome::Begun), None), |memory: &mut BackupMemory| {
                journal::before(memory, step, &backup.action, now);
            });
        if let Err(outcome) = begun {
            return outcome;
        }
        let call = Call { executor: self, scope: &step.address.scope, role: terms.role.as_ref(), fence };
        let parts = call.all(&backup.action).await;
        let (outcome, record) = whole(&parts);
        let written = self.write_backup(step, record, |memory, now| {
            journal::after(memory, &backup.action, &parts, now);
            Applied(Some(step.revision))
        });
        // The calls were made; the journal says "begun", which is what a crash here would have left behind too.
        written.map_or_else(Outcome::NotJournaled, |()| outcome)
    }

    fn write_backup<A: Into<Applied>>(
        &self,
        step: &Step,
        outcome: RecordOutcome,
        change: impl FnOnce(&mut BackupMemory, jiff::Timestamp) -> A,
    ) -> Result<(), StoreError> {
        let now = self.cx.now();
        self.store.update_with(&step.key, line(step, outcome), None, |memory: &mut BackupMemory| change(memory, now))
    }
}

/// The line of the journal.
fn line(step: &Step, outcome: RecordOutcome) -> Record {
    Record::new(step.key.clone(), step.revision, crate::model::Act::verb(&step.action), outcome)
        .with_detail(journal::detail(&step.action))
}

/// How a step went as a whole: as the worst of its parts.
fn whole(parts: &[Part]) -> (Outcome, RecordOutcome) {
    let mut moved = None;
    for part in parts {
        match &part.answer {
            Err(Trouble::Failed(error)) => {
                let mut told =
                    PortError::new(error.class, error.operation, format!("{}: {}", part.table, error.message));
                told.code.clone_from(&error.code);
                let record = RecordOutcome::Failed { class: told.class, message: told.to_string() };
                return (Outcome::from(told), record);
            }
            Err(Trouble::Moved(why) | Trouble::Forbidden(why)) => moved = Some(format!("{}: {why}", part.table)),
            Ok(_) => {}
        }
    }
    match moved {
        Some(why) => {
            let record = RecordOutcome::Failed { class: Class::Conflict, message: why.clone() };
            (Outcome::Moved(why), record)
        }
        None => (Outcome::Done, RecordOutcome::Done),
    }
}

struct Call<'a> {
    executor: &'a Executor,
    scope: &'a Scope,
    role: Option<&'a AssumeRole>,
    fence: Fence,
}

impl Call<'_> {
    async fn all(&self, action: &BackupDo) -> Vec<Part> {
        match action {
            BackupDo::Recover(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.table.clone(),
                    tried: Tried::recovery(one.from, one.to),
                    answer: self.recover(one).await,
                }))
                .await
            }
            BackupDo::Protect(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.table.clone(),
                    tried: Tried::protection(),
                    answer: self.protect(one).await,
                }))
                .await
            }
            BackupDo::Make(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.table.clone(),
                    tried: Tried::backup(one.slot),
                    answer: self.make(one).await,
                }))
                .await
            }
            BackupDo::Restore(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.to.clone(),
                    tried: Tried::restore(&one.to),
                    answer: self.restore(one).await,
                }))
                .await
            }
            BackupDo::Copy(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.table.clone(),
                    tried: Tried::copy(&one.point, &one.region),
                    answer: self.copy(one).await,
                }))
                .await
            }
            BackupDo::Expire(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.table.clone(),
                    tried: Tried::expiry(&one.point),
                    answer: self.expire(one).await,
                }))
                .await
            }
            BackupDo::Keep(list) => {
                join_all(list.iter().map(async |one| Part {
                    table: one.table.clone(),
                    tried: Tried::keeping(one),
                    answer: self.keep(one).await,
                }))
                .await
            }
            BackupDo::Note(_) => Vec::new(),
        }
    }

    fn tables(&self) -> std::sync::Arc<dyn Tables> {
        self.executor.governor.tables(self.scope, self.role, Priority::Deploy)
    }

    fn vaults(&self, scope: &Scope) -> std::sync::Arc<dyn Vaults> {
        self.executor.governor.vaults(scope, self.role, Priority::Deploy)
    }

    /// That the table is still the one that the plan saw (invariant S5).
    async fn same(
        &self,
        port: &dyn Tables,
        table: &TableName,
        id: &TableId,
    ) -> Result<crate::model::TableState, Trouble> {
        match port.describe(table).await.map_err(unsent)? {
            Some(state) if state.id == *id => Ok(state),
            Some(_) => Err(Trouble::Moved("it is a different table with the same name".to_owned())),
            None => Err(Trouble::Moved("it does not exist".to_owned())),
        }
    }

    async fn recover(&self, one: &SetRecovery) -> Result<Answer, Trouble> {
        let port = self.tables();
        self.same(&*port, &one.table, &one.id).await?;
        let found = port.continuous_backups(&one.table).await.map_err(unsent)?;
        let found = found.filter(|found| found.on).map(|found| found.window_days);
        if found == Some(one.to) {
            return Ok(Answer::Done);
        }
        if found != one.from {
            return Err(Trouble::Moved("its point-in-time recovery changed since the plan".to_owned()));
        }
        port.set_continuous_backups(self.fence, &one.table, Some(one.to)).await?;
        Ok(Answer::Done)
    }

    async fn protect(&self, one: &ProtectTable) -> Result<Answer, Trouble> {
        let port = self.tables();
        if !self.same(&*port, &one.table, &one.id).await?.deletion_protected {
            port.update(self.fence, &one.table, &TableChange::DeletionProtection(true)).await?;
        }
        Ok(Answer::Done)
    }

    async fn make(&self, one: &MakeBackup) -> Result<Answer, Trouble> {
        let port = self.tables();
        self.same(&*port, &one.table, &one.id).await?;
        match &one.way {
            MakeWay::OnDemand { name } => {
                let point = port.create_backup(self.fence, &one.table, name).await?;
                Ok(Answer::Made(Box::new(point)))
            }
            MakeWay::Vault { vault, role, token, tags } => {
                let request = StartBackup {
                    table: one.arn.clone(),
                    vault: vault.clone(),
                    role: role.parse().map_err(|why| not_a_role(&why))?,
                    token: token.clone(),
                    tags: tags.clone(),
                };
                Ok(Answer::Begun(self.vaults(self.scope).start_backup(self.fence, request).await?))
            }
        }
    }

    async fn copy(&self, one: &CopyPoint) -> Result<Answer, Trouble> {
        let request = StartCopy {
            point: one.point.clone(),
            from: one.from.clone(),
            to: one.to.clone(),
            role: one.role.parse().map_err(|why| not_a_role(&why))?,
            token: one.token.clone(),
        };
        Ok(Answer::Begun(self.vaults(self.scope).start_copy(self.fence, request).await?))
    }

    /// Puts settings in their place; or takes them away, of a point that is gone.
    async fn keep(&self, one: &KeepSettings) -> Result<Answer, Trouble> {
        let port = self.executor.governor.objects(self.scope, self.role, Priority::Deploy);
        if let Some(settings) = &one.settings {
            port.put(self.fence, &one.bucket, &one.key, "application/json", &settings.text()).await?;
            return Ok(Answer::Done);
        }
        if self.is_there(one).await.map_err(unsent)? {
            return Err(Trouble::Moved("the recovery point still exists".to_owned()));
        }
        port.delete(self.fence, &one.bucket, &one.key).await?;
        Ok(Answer::Done)
    }

    /// Whether the recovery point is there that settings belong to.
    async fn is_there(&self, one: &KeepSettings) -> Result<bool, PortError> {
        let Some(vault) = &one.vault else { return Ok(self.tables().backup(&one.point).await?.is_some()) };
        let region = one.point.region().unwrap_or_else(|| self.scope.region.clone());
        let scope = Scope { region, ..self.scope.clone() };
        Ok(self.vaults(&scope).restore_metadata(vault, &one.point).await?.is_some())
    }

    /// Deletes a point that still is what the plan saw: of that name, or with our tag.
    async fn expire(&self, one: &ExpirePoint) -> Result<Answer, Trouble> {
        let moved = |why: &str| Trouble::Moved(why.to_owned());
        match &one.keeper {
            PointKeeper::Table => {
                let port = self.tables();
                let Some((found, _)) = port.backup(&one.point).await.map_err(unsent)? else { return Ok(Answer::Done) };
                if found.table != one.table || found.name != one.name {
                    return Err(moved("the backup is not the one in the plan"));
                }
                port.delete_backup(self.fence, &one.point).await?;
            }
            PointKeeper::Vault(vault) => {
                let scope = Scope { region: one.region.clone(), ..self.scope.clone() };
                let port = self.vaults(&scope);
                let tags = self.tags(&*port, one).await?;
                if !tags.contains_key(OWNER_TAG) {
                    return Err(moved("the recovery point does not have Landfast's owner tag"));
                }
                port.delete_point(self.fence, vault, &one.point).await?;
            }
        }
        Ok(Answer::Done)
    }

    async fn tags(&self, port: &dyn Vaults, one: &ExpirePoint) -> Result<BTreeMap<String, String>, Trouble> {
        let tags = all("ListTags", |page| port.tags(&one.point, page)).await.map_err(unsent)?;
        Ok(tags.into_iter().collect())
    }
}

fn not_a_role(why: &crate::model::InvalidName) -> PortError {
    PortError::new(Class::Invalid, "StartBackupJob", why.to_string())
}

/// A read failed before anything was sent, so nothing can have taken effect.
fn unsent(error: PortError) -> PortError {
    let class = if matches!(error.class, Class::Transient | Class::Conflict) { Class::Throttled } else { error.class };
    PortError { class, ..error }
}
