//! Whether a step may begin now, and if not, what holds it and until when: freezes and maintenance windows.
//!
//! One function answers for the planner, for the executor, which asks once more where it writes down that a step begins,
//! and so for every command and report. What has begun is followed to its end: nothing here is asked of it.
//!
//! | | freeze | closed window |
//! |---|---|---|
//! | a change, and choosing the images that it deploys | held | held |
//! | what finishes a running operation: cancelling an update, stopping a rollout, ending a rotation | held | goes on |
//! | preparing a change set, which changes nothing that runs | held | goes on |
//! | backups and restores: they only add | held if the freeze names the kind | go on |
//! | writing down what was seen | goes on | goes on |

mod calendar;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use self::calendar::{is_open_at, opens_at};
use super::planner::Planner;
use crate::model::{
    Act, Action, BackupStep, Do, Freeze, Key, Kind, SecretDo, SecretStep, ServiceDo, ServiceStep, StackDo, StackStep,
    Waiting, Windows,
};

/// What a step means for what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes something, and is the first to do so.
    Begins,
    /// It brings to an end what an earlier step has begun.
    Finishes,
    /// It changes nothing that runs.
    Prepares,
    /// It makes backups, and takes nothing away.
    Adds,
    /// It makes no call that changes something.
    Notes,
}

/// What a step means for what runs.
#[must_use]
pub fn effect(action: &Do) -> Effect {
    let finishes = match action {
        Do::Stack(StackStep { action, .. }) => matches!(action, StackDo::Cancel { .. }),
        Do::Service(ServiceStep { action, .. }) => matches!(action, ServiceDo::Stop { .. }),
        // Both versions work until then; a rotation that stops half way leaves a secret that nobody uses.
        Do::Secret(SecretStep { action, .. }) => {
            matches!(action, SecretDo::Promote { .. } | SecretDo::Unlabel { .. })
        }
        Do::Record(_) | Do::Backup(_) => false,
    };
    // Which images a service gets is decided when they can be deployed: by then there are newer ones, or these are gone.
    let decides = matches!(action, Do::Service(ServiceStep { action: ServiceDo::Decide { rollout: Some(_), .. }, .. }));
    match action {
        _ if decides => Effect::Begins,
        action if !action.mutates() => Effect::Notes,
        Do::Backup(BackupStep { action, .. }) if action.only_adds() && !action.clears() => Effect::Adds,
        _ if finishes => Effect::Finishes,
        action if action.is_preparation() => Effect::Prepares,
        _ => Effect::Begins,
    }
}

/// What holds a step of this object now; nothing: it may begin. Every freeze that does is there, and the windows once.
#[must_use]
pub fn hold(key: &Key, effect: Effect, windows: &Windows, freezes: &[Freeze], now: Timestamp) -> Vec<Waiting> {
    let holds = |freeze: &&Freeze| {
        let about = match effect {
            Effect::Notes => false,
            Effect::Adds => freeze.scope.names_kind(Kind::BackupPolicy),
            Effect::Begins | Effect::Finishes | Effect::Prepares => true,
        };
        about && freeze.is_active(now) && freeze.scope.includes(key)
    };
    let mut held: Vec<Waiting> = freezes.iter().filter(holds).map(frozen).collect();
    if effect == Effect::Begins && !is_open_at(windows, now) {
        let because = calendar::denied(windows, now).and_then(|window| window.because.clone());
        held.push(Waiting::Window { opens: opens_at(windows, now), because });
    }
    held
}

fn frozen(freeze: &Freeze) -> Waiting {
    Waiting::Frozen {
        freeze: freeze.id.clone(),
        scope: freeze.scope.to_string(),
        by: freeze.by.clone(),
        because: freeze.because.clone(),
        until: freeze.until,
    }
}

/// Takes the steps that may not begin now, and says what holds them; also of objects that wait for a person, who should
/// know that an approval alone starts nothing.
pub(super) fn withhold(planner: &mut Planner<'_>) {
    let (input, windows) = (planner.input, &planner.input.environment.windows);
    let freezes = &input.memory.freezes;
    if windows.is_empty() && freezes.is_empty() {
        return;
    }
    for (key, entry) in &mut planner.entries {
        let asks = entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Approval { .. }));
        let effect = match &entry.step {
            Some(step) => self::effect(&step.action),
            None if asks && !matches!(entry.action, Action::None | Action::Unknown) => Effect::Begins,
            None => continue,
        };
        let held = hold(key, effect, windows, freezes, input.now);
        if !held.is_empty() {
            entry.step = None;
            entry.waiting.extend(held);
        }
    }
}
