//! What has failed while an environment was carried to its goal, and is nowhere in the plan that was left in the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{self, BackupMemory, Ended, Evidence, Key, RolloutOutcome};
use crate::report::clean;

/// A rollout that has failed.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailedRollout {
    /// The service.
    object: String,
    /// How it ended, if still known.
    outcome: Option<RolloutOutcome>,
    /// The names of the images that it should deploy, by container.
    images: BTreeMap<String, String>,
    /// Why, in a sentence.
    why: Option<String>,
    /// Evidence for it.
    evidence: Option<Evidence>,
}

impl FailedRollout {
    /// How the last rollout of this service has failed, where that is still known.
    pub(super) fn of(key: &Key, ended: Option<Ended>) -> Self {
        let object = key.to_string();
        match ended.filter(|ended| matches!(ended.outcome, RolloutOutcome::RolledBack | RolloutOutcome::Failed)) {
            None => Self { object, outcome: None, images: BTreeMap::new(), why: None, evidence: None },
            Some(ended) => Self {
                object,
                outcome: Some(ended.outcome),
                images: ended.images,
                why: Some(ended.evidence.why()),
                evidence: Some(ended.evidence),
            },
        }
    }
}

/// A restore, or a restore test, that has failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailedRestore {
    /// The backup policy.
    #[schemars(with = "String")]
    pub(super) object: Key,
    /// When it had failed.
    #[schemars(with = "String")]
    pub(super) at: Timestamp,
    /// The table that was to be restored.
    table: String,
    /// The new table; `null` for a restore test, whose table goes again.
    to: Option<String>,
    /// Why.
    why: String,
}

impl FailedRestore {
    /// All that nobody was told of yet, the oldest first.
    pub(super) fn untold(policies: &BTreeMap<Key, Arc<BackupMemory>>) -> Vec<Self> {
        let of_policy = |(object, memory): (&Key, &Arc<BackupMemory>)| {
            let failed = memory.failed_restores().into_iter().filter(|failed| !memory.is_told(failed));
            failed.map(|failed| Self::of(object, failed)).collect::<Vec<_>>()
        };
        let mut failed: Vec<Self> = policies.iter().flat_map(of_policy).collect();
        failed.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| one.cmp(other)));
        failed
    }

    fn of(object: &Key, failed: model::FailedRestore<'_>) -> Self {
        let model::FailedRestore { at, table, to, why } = failed;
        let (table, to) = (table.to_string(), to.map(ToString::to_string));
        Self { object: object.clone(), at, table, to, why: why.to_owned() }
    }
}

/// That a restore has failed, or without a new table a restore test.
pub(super) fn restore_failed(table: &str, to: Option<&str>, why: &str) -> String {
    let (table, why) = (clean(table), clean(why));
    match to {
        Some(to) if to == table => format!("The restore of {table} in place FAILED: {why}"),
        Some(to) => format!("The restore of {table} to {} FAILED: {why}", clean(to)),
        None => format!("The restore test of {table} FAILED: {why}"),
    }
}

impl fmt::Display for FailedRestore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = restore_failed(&self.table, self.to.as_deref(), &self.why);
        write!(f, "{failed}; `landfast why {}` shows it.", self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Restore, RestoreFrom, RestoreWhy};

    #[test]
    fn what_has_failed_is_told_once() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let restore = |ended: Option<Option<&str>>| Restore {
            ended: ended.map(|why| (at, why.map(str::to_owned))),
            ..Restore::new(
                "dev-A".parse().unwrap(),
                RestoreWhy::Asked { by: "somebody".to_owned() },
                RestoreFrom::Latest,
                at,
            )
        };
        let mut memory = BackupMemory::default();
        for (to, ended) in [("open", None), ("done", Some(None)), ("lost", Some(Some("there is no such moment")))] {
            memory.restores.insert(format!("dev-{to}").parse().unwrap(), restore(ended));
        }
        let of = |memory: &BackupMemory| {
            let policies = BTreeMap::from([("dev/backuppolicy/tables".parse().unwrap(), Arc::new(memory.clone()))]);
            FailedRestore::untold(&policies).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let line = "The restore of dev-A to dev-lost FAILED: there is no such moment; `landfast why \
        dev/backuppolicy/tables` shows it.";
        assert_eq!(of(&memory), [line]);
        memory.told = Some(at);
        assert_eq!(of(&memory), [""; 0], "once is enough");
    }
}
