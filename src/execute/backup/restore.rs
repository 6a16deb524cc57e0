//! Steps of restores, and what they change in memory.
//!
//! A restore is written down before it is sent, under the name of its new table. A table is deleted only if it is the very
//! one that a test of ours has made, and says so itself (invariants S2, S15); or if a person has asked for a restore in its
//! place, and it is the one that is remembered and has not a single item.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Answer, Call, Part, Trouble, unsent};
use crate::model::{
    Attempts, BackupMemory, BeginRestore, Digest, Failure, Key, OWNER_TAG, PointKeeper, Proof, Restore, RestoreDo,
    RestoreFrom, RestoreNote, RestoreStep, Setting, TEST_PREFIX, TableId, TableMemory, TableName, TableState,
    TableStatus, Taken,
};
use crate::ports::{Class, PortError, StartRestore, TableChange, Tables, all};
use crate::sabotage::{self, Bug};

impl Call<'_> {
    pub(super) async fn restore(&self, step: &RestoreStep) -> Result<Answer, Trouble> {
        let port = self.tables();
        match &step.action {
            RestoreDo::Begin(begin) => self.begin(&*port, &step.to, begin).await,
            RestoreDo::Mark { id, owner } => {
                let state = self.same(&*port, &step.to, id).await?;
                let tags = BTreeMap::from([(OWNER_TAG.to_owned(), owner.to_string())]);
                port.tag(self.fence, &state.arn, &tags).await?;
                Ok(Answer::Done)
            }
            RestoreDo::Set { id, setting } => {
                let state = self.same(&*port, &step.to, id).await?;
                self.set(&*port, &state, setting).await
            }
            RestoreDo::Remove { id, owner } => self.remove(&*port, &step.to, id, owner).await,
            RestoreDo::Unprotect { id } => {
                let state = self.same(&*port, &step.to, id).await?;
                if state.deletion_protected {
                    self.is_empty(&*port, &step.to).await?;
                    port.update(self.fence, &step.to, &TableChange::DeletionProtection(false)).await?;
                }
                Ok(Answer::Done)
            }
            RestoreDo::Clear { id } => self.clear(&*port, &step.to, id).await,
        }
    }

    async fn begin(&self, port: &dyn Tables, to: &TableName, begin: &BeginRestore) -> Result<Answer, Trouble> {
        if port.describe(to).await.map_err(unsent)?.is_some() {
            return Err(Trouble::Moved("a table with that name exists".to_owned()));
        }
        let state = match (&begin.restore.from, &begin.keeper) {
            (RestoreFrom::Point(point), Some(PointKeeper::Vault(_))) => {
                let role = begin.role.as_deref().unwrap_or_default();
                let role = role.parse().map_err(|why| super::not_a_role(&why))?;
                let (token, encryption) = (begin.token.clone(), begin.encryption.clone());
                let request = StartRestore { point: point.clone(), to: to.clone(), role, encryption, token };
                return Ok(Answer::Begun(self.vaults(self.scope).start_restore(self.fence, request).await?));
            }
            (RestoreFrom::Point(point), _) => port.restore_backup(self.fence, point, to).await?,
            (RestoreFrom::Moment(at), _) => port.restore_to(self.fence, &begin.source, to, Some(*at)).await?,
            (RestoreFrom::Latest, _) => port.restore_to(self.fence, &begin.source, to, None).await?,
            // Which one it is, is written down before anything is begun.
            (RestoreFrom::NewestPoint, _) => return Err(Trouble::Moved("no recovery point was chosen".to_owned())),
        };
        Ok(Answer::Restoring(state.id))
    }

    /// One setting; nothing is sent where the table has it already.
    async fn set(&self, port: &dyn Tables, state: &TableState, setting: &Setting) -> Result<Answer, Trouble> {
        let (fence, table) = (self.fence, &state.name);
        match setting {
            Setting::Tags(tags) => port.tag(fence, &state.arn, tags).await?,
            Setting::DeletionProtection if state.deletion_protected => {}
            Setting::DeletionProtection => {
                port.update(fence, table, &TableChange::DeletionProtection(true)).await?;
            }
            Setting::Recovery(days) => {
                let found = port.continuous_backups(table).await.map_err(unsent)?;
                if !found.is_some_and(|found| found.on && found.window_days == *days) {
                    port.set_continuous_backups(fence, table, Some(*days)).await?;
                }
            }
            Setting::Billing(billing) if state.billing == *billing => {}
            Setting::Billing(billing) => port.update(fence, table, &TableChange::Billing(*billing)).await?,
            Setting::Scaling(target) => port.put_scaling(fence, table, target).await?,
            Setting::Alarm(alarm) => port.put_alarm(fence, alarm).await?,
            Setting::Policy(body) => port.put_policy(fence, &state.arn, body).await?,
            Setting::Class(class) if state.class == *class => {}
            Setting::Class(class) => port.update(fence, table, &TableChange::Class(*class)).await?,
            Setting::Stream(_) if state.stream.is_some() => {}
            Setting::Stream(view) => port.update(fence, table, &TableChange::Stream(Some(*view))).await?,
            Setting::TimeToLive(attribute) => {
                if port.time_to_live(table).await.map_err(unsent)?.attribute.is_none() {
                    port.set_time_to_live(fence, table, attribute, true).await?;
                }
            }
        }
        Ok(Answer::Done)
    }

    /// Deletes the empty table whose name is needed. `DeleteTable` takes no condition: so what it must hold is read right
    /// before it, the items last (invariant S5).
    async fn clear(&self, port: &dyn Tables, table: &TableName, id: &TableId) -> Result<Answer, Trouble> {
        let Some(state) = port.describe(table).await.map_err(unsent)? else { return Ok(Answer::Done) };
        if state.id != *id {
            return Err(Trouble::Moved("it is a different table with the same name".to_owned()));
        }
        if state.status == TableStatus::Deleting {
            return Ok(Answer::Done);
        }
        self.is_empty(port, table).await?;
        port.delete(self.fence, table).await?;
        Ok(Answer::Done)
    }

    /// That a table has not a single item, by a strongly consistent scan.
    async fn is_empty(&self, port: &dyn Tables, table: &TableName) -> Result<(), Trouble> {
        if sabotage::is(Bug::DeletesUnseenItems) {
            return Ok(());
        }
        let mut from = None;
        loop {
            match port.count(table, from.as_ref()).await.map_err(unsent)? {
                (0, None) => return Ok(()),
                (0, next) => from = next,
                _ => {
                    let why = format!("{table} has items; nothing was deleted. Restore into another table (`--as`)");
                    return Err(Trouble::Forbidden(why));
                }
            }
        }
    }

    async fn remove(&self, port: &dyn Tables, to: &TableName, id: &TableId, owner: &Key) -> Result<Answer, Trouble> {
        let moved = |why: &str| Trouble::Moved(why.to_owned());
        let Some(state) = port.describe(to).await.map_err(unsent)? else { return Ok(Answer::Done) };
        if state.id != *id || !to.as_str().starts_with(TEST_PREFIX) {
            return Err(moved("it is a different table with the same name"));
        }
        let tags = crate::ports::found(tags_of(port, &state).await).map_err(unsent)?;
        if tags.is_none_or(|tags| tags.get(OWNER_TAG) != Some(&owner.to_string())) {
            return Err(moved("it does not have Landfast's owner tag"));
        }
        port.delete(self.fence, to).await?;
        Ok(Answer::Done)
    }
}

async fn tags_of(port: &dyn Tables, state: &TableState) -> Result<BTreeMap<String, String>, PortError> {
    Ok(all("ListTagsOfResource", |page| port.tags(&state.arn, page)).await?.into_iter().collect())
}

/// Written before the calls.
pub(super) fn before(memory: &mut BackupMemory, list: &[RestoreStep], now: Timestamp) {
    for step in list {
        let known = memory.restores.get_mut(&step.to);
        match &step.action {
            RestoreDo::Begin(begin) => {
                let since = known.and_then(|known| known.begun).unwrap_or(now);
                let restore = Restore { begun: Some(since), ..begin.restore.clone() };
                memory.restores.insert(step.to.clone(), restore);
            }
            RestoreDo::Clear { .. } => {
                if let Some(replaced) = known.and_then(|known| known.replaced.as_mut()) {
                    replaced.cleared = Some(now);
                }
            }
            RestoreDo::Mark { .. } | RestoreDo::Set { .. } | RestoreDo::Remove { .. } | RestoreDo::Unprotect { .. } => {
            }
        }
    }
}

/// Written after the calls.
pub(super) fn after(memory: &mut BackupMemory, step: &RestoreStep, part: &Part, now: Timestamp) {
    let answer = &part.answer;
    let Some(restore) = memory.restores.get_mut(&step.to) else { return forgotten(memory, part, now) };
    match answer {
        Ok(answer) => {
            restore.attempts = None;
            if let RestoreDo::Set { setting, .. } = &step.action {
                let id = setting.identity();
                restore.refused.remove(&id);
                let taken = Taken::counted(restore.taken.get(&id), id.clone(), now);
                restore.taken.insert(id, taken);
            }
            match (&step.action, answer) {
                (_, Answer::Restoring(id)) => restore.made = Some(id.clone()),
                (_, Answer::Begun(job)) => restore.job = Some(job.clone()),
                (RestoreDo::Mark { .. }, _) => restore.tagged = true,
                _ => {}
            }
        }
        Err(Trouble::Failed(error)) => failed(memory, step, error, now),
        // It is looked for at the next look.
        Err(Trouble::Moved(_)) => {}
        Err(Trouble::Forbidden(why)) => {
            restore.doomed = Some(why.clone());
            if let Some(replaced) = &mut restore.replaced {
                replaced.cleared = None;
            }
        }
    }
}

/// Of a table that no restore is remembered of, only what fails is.
fn forgotten(memory: &mut BackupMemory, part: &Part, now: Timestamp) {
    let table = memory.tables.entry(part.table.clone()).or_default();
    match &part.answer {
        Err(Trouble::Failed(error)) => super::journal::refused(table, part, error, now),
        Ok(_) | Err(Trouble::Moved(_) | Trouble::Forbidden(_)) => drop(table.attempts.remove(&part.tried.label)),
    }
    memory.tables.retain(|_, table| *table != TableMemory::default());
}

fn failed(memory: &mut BackupMemory, step: &RestoreStep, error: &PortError, now: Timestamp) {
    let hopeless = matches!(error.class, Class::Invalid | Class::NotFound);
    if hopeless && matches!(step.action, RestoreDo::Begin(_)) {
        return end(memory, &step.to, Some(error.to_string()), now);
    }
    let Some(restore) = memory.restores.get_mut(&step.to) else { return };
    if matches!(error.class, Class::Throttled | Class::Transient) {
        return;
    }
    if step.action.clears() && error.class == Class::Denied {
        // It is given up before anything is gone.
        restore.doomed = Some(error.to_string());
        if let Some(replaced) = &mut restore.replaced {
            replaced.cleared = None;
        }
        return;
    }
    let failure = Failure {
        resource: step.to.to_string(),
        kind: "AWS::DynamoDB::Table".to_owned(),
        reason: error.to_string(),
        transient: error.class != Class::Invalid,
    };
    if let RestoreDo::Set { setting, .. } = &step.action {
        let id = setting.identity();
        let counted = Attempts::counted(restore.refused.get(&id), id.clone(), failure, now);
        restore.refused.insert(id, counted);
        return;
    }
    let inputs = Digest::of(&(&step.to, restore.made.is_some(), restore.compared.is_some()));
    restore.attempts = Some(Attempts::counted(restore.attempts.as_ref(), inputs, failure, now));
}

/// Written by steps that change only what is remembered.
pub(super) fn note(memory: &mut BackupMemory, to: &TableName, note: &RestoreNote, now: Timestamp) {
    if let RestoreNote::Ended(failed) = note {
        return end(memory, to, failed.clone(), now);
    }
    if let RestoreNote::Forgotten = note {
        memory.restores.remove(to);
        return;
    }
    let Some(restore) = memory.restores.get_mut(to) else { return };
    restore.attempts = None;
    match note {
        RestoreNote::Chosen(point, as_of) => {
            (restore.from, restore.as_of) = (RestoreFrom::Point(point.clone()), Some(*as_of));
        }
        RestoreNote::Replaces(replaced) => restore.replaced = Some(replaced.clone()),
        RestoreNote::Counted(counted) => restore.items = Some(*counted),
        RestoreNote::Found(id) => restore.made = Some(id.clone()),
        RestoreNote::Active => restore.active = Some(now),
        RestoreNote::Compared(compared) => restore.compared = Some(compared.clone()),
        RestoreNote::Doomed(why) => restore.doomed = Some(why.clone()),
        RestoreNote::Settings(origin) => restore.settings = Some(origin.clone()),
        RestoreNote::Ended(_) | RestoreNote::Forgotten => {}
    }
}

/// A restore has ended. Of a test it is kept what it has shown, and that its point is proven.
fn end(memory: &mut BackupMemory, to: &TableName, failed: Option<String>, now: Timestamp) {
    let Some(restore) = memory.restores.get_mut(to) else { return };
    restore.ended = Some((now, failed.clone()));
    if !restore.is_test() {
        return;
    }
    let Some(restore) = memory.restores.remove(to) else { return };
    let point = match &restore.from {
        RestoreFrom::Point(point) => Some(point.clone()),
        RestoreFrom::Latest | RestoreFrom::Moment(_) | RestoreFrom::NewestPoint => None,
    };
    let proven = failed.is_none();
    let age = restore.begun.zip(restore.as_of);
    let age = age.and_then(|(begun, as_of)| u64::try_from(begun.duration_since(as_of).as_secs()).ok());
    let (took, loss) = (restore.took(), restore.loss);
    if memory.verify_asked.get(&restore.table).is_some_and(|asked| *asked <= restore.asked) {
        memory.verify_asked.remove(&restore.table);
    }
    let proof = Proof { at: now, point: point.clone(), took, age, loss, compared: restore.compared, failed };
    memory.proofs.insert(restore.table.clone(), proof);
    let (Some(point), true) = (point, proven) else { return };
    let created = restore.as_of.unwrap_or(now);
    let table = memory.tables.entry(restore.table).or_default();
    let known = table.points.entry(point).or_insert_with(|| super::journal::known(created, created, (None, None), now));
    known.verified = Some(now);
}

/// In a few words, for the journal.
pub(super) fn told(step: &RestoreStep) -> String {
    let to = &step.to;
    match &step.action {
        RestoreDo::Begin(begin) if begin.restore.is_in_place() => format!("{to} in place as of {}", begin.restore.from),
        RestoreDo::Unprotect { .. } => format!("switches deletion protection of the empty {to} off"),
        RestoreDo::Clear { .. } => format!("deletes the empty {to}"),
        RestoreDo::Begin(begin) => format!("{} as of {} to {to}", begin.restore.table, begin.restore.from),
        RestoreDo::Mark { .. } => format!("marks {to}"),
        RestoreDo::Set { setting, .. } => format!("{}: {to}", setting.name()),
        RestoreDo::Remove { .. } => format!("removes {to}"),
    }
}
