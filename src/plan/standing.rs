//! What each of the 23 stack statuses means, and what follows from it.
//!
//! One row per status, as data: the planner acts on [`Row::standing`], reports show the rest.

use crate::model::StackStatus;

/// What may be done with a stack in some status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// At rest and healthy: may be compared, updated, deleted.
    Steady,
    /// An operation is running: wait.
    Busy,
    /// It has never been healthy: may be cleared and created again, within bounds.
    NeverHealthy,
    /// A rollback failed: is continued once, then waits for a person.
    RollbackStuck,
    /// Only a person may decide.
    Human,
    /// It no longer exists.
    Gone,
}

/// What Landfast knows about a status.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The status.
    pub status: StackStatus,
    /// What may be done.
    pub standing: Standing,
    /// What the status means.
    pub meaning: &'static str,
    /// What Landfast does by itself.
    pub by_itself: &'static str,
    /// What a person is asked to do; empty when nothing.
    pub asks: &'static str,
}

const fn row_of(
    status: StackStatus,
    standing: Standing,
    meaning: &'static str,
    by_itself: &'static str,
    asks: &'static str,
) -> Row {
    Row { status, standing, meaning, by_itself, asks }
}

use StackStatus as S;
use Standing::{Busy, Gone, Human, NeverHealthy, RollbackStuck, Steady};

/// The table, in the order of AWS's list (AWS: *Understand CloudFormation stack creation events*, status codes).
pub const ROWS: [Row; 23] = [
    row_of(S::CreateInProgress, Busy, "it is being created", "waits", ""),
    row_of(
        S::CreateFailed,
        NeverHealthy,
        "its creation failed and nothing was rolled back",
        "deletes it and creates it again, if the failure is temporary or the manifest changed",
        "if this persists: fix the cause that the failed resource shows, and commit",
    ),
    row_of(S::CreateComplete, Steady, "it was created", "compares it and updates it", ""),
    row_of(S::RollbackInProgress, Busy, "its creation failed and is being rolled back", "waits", ""),
    row_of(
        S::RollbackFailed,
        NeverHealthy,
        "its creation failed, and the clean-up of its resources failed too",
        "deletes it and creates it again, if the failure is temporary or the manifest changed",
        "if this persists: remove what blocks the deletion (see its events)",
    ),
    row_of(
        S::RollbackComplete,
        NeverHealthy,
        "its creation failed and everything was removed again",
        "deletes it and creates it again, if the failure is temporary or the manifest changed",
        "if this persists: fix the cause that the failed resource shows, and commit",
    ),
    row_of(S::DeleteInProgress, Busy, "it is being deleted", "waits", ""),
    row_of(
        S::DeleteFailed,
        Human,
        "its deletion failed",
        "if its manifest was removed: deletes it and retains the failed resources, after approval",
        "`landfast doctor` shows what blocks the deletion and what can be retained",
    ),
    row_of(S::DeleteComplete, Gone, "it was deleted", "creates it, if a manifest describes it", ""),
    row_of(S::UpdateInProgress, Busy, "it is being updated", "waits; cancels its own update if it is overdue", ""),
    row_of(
        S::UpdateCompleteCleanupInProgress,
        Busy,
        "it was updated, and replaced resources are being deleted",
        "waits",
        "",
    ),
    row_of(S::UpdateComplete, Steady, "it was updated", "compares it and updates it", ""),
    row_of(
        S::UpdateFailed,
        Human,
        "its update failed, and rollback was disabled",
        "nothing",
        "roll it back (`aws cloudformation rollback-stack`) or repair it; Landfast continues when the stack is in a \
        final state",
    ),
    row_of(S::UpdateRollbackInProgress, Busy, "its update failed and is being rolled back", "waits", ""),
    row_of(
        S::UpdateRollbackFailed,
        RollbackStuck,
        "its update failed, and so did the rollback",
        "continues the rollback once; then skips the failed resources, after approval",
        "`landfast doctor` shows what it fails on: fix that and continue the rollback, or skip it",
    ),
    row_of(
        S::UpdateRollbackCompleteCleanupInProgress,
        Busy,
        "its update was rolled back, and new resources are being deleted",
        "waits",
        "",
    ),
    row_of(
        S::UpdateRollbackComplete,
        Steady,
        "its last update failed and was rolled back",
        "compares it and updates it, if the failure is temporary or the manifest changed",
        "",
    ),
    row_of(
        S::ReviewInProgress,
        NeverHealthy,
        "empty stack: its change set was never executed",
        "deletes it, if Landfast owns it",
        "if Landfast does not own it: delete it, or execute its change set",
    ),
    row_of(S::ImportInProgress, Busy, "resources are being imported", "waits", ""),
    row_of(S::ImportComplete, Steady, "resources were imported", "compares it and updates it", ""),
    row_of(S::ImportRollbackInProgress, Busy, "an import failed and is being rolled back", "waits", ""),
    row_of(
        S::ImportRollbackFailed,
        Human,
        "an import failed, and so did its rollback",
        "nothing",
        "fix the resources that its events show; Landfast continues when the stack is in a final state",
    ),
    row_of(S::ImportRollbackComplete, Steady, "an import failed and was rolled back", "compares it and updates it", ""),
];

/// The row of a status.
#[must_use]
pub fn row(status: StackStatus) -> &'static Row {
    // The table is in the order of the enumeration, which a test holds.
    &ROWS[status as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_row() {
        for (index, status) in StackStatus::ALL.into_iter().enumerate() {
            assert_eq!(ROWS[index].status, status);
            assert_eq!(row(status).status, status);
        }
    }

    #[test]
    fn a_stack_is_busy_exactly_when_an_operation_is_running() {
        for row in &ROWS {
            assert_eq!(row.standing == Busy, row.status.is_in_progress(), "{}", row.status);
        }
    }

    #[test]
    fn whatever_a_person_must_decide_says_what_to_do() {
        for row in &ROWS {
            assert!(!row.meaning.is_empty() && !row.by_itself.is_empty());
            let needs_a_person = matches!(row.standing, Human | RollbackStuck);
            assert!(!needs_a_person || !row.asks.is_empty(), "{}", row.status);
        }
    }
}
