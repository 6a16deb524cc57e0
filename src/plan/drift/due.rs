//! Which stack is to be looked at next, and when.
//!
//! A detection reads every resource of a stack, so they are spread over the time that policy gives them
//! (`policy.driftEvery`), one after another in an environment. What was just deployed or put back goes first: what differs
//! then is AWS's own doing, or says that putting it back has not helped.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Action, Digest, DriftMemory, Key, Plan, Seen, StackAddress, StackId, StackState, StackVersion, Waiting,
};
use crate::plan::Input;
use crate::plan::standing::{Standing, row};

/// How long after an operation resources may still settle: a service tells what was written a little later.
const SETTLE: SignedDuration = SignedDuration::from_secs(30);

/// How soon a detection that said nothing is tried again, at first.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// A stack, and when it is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When. May be past.
    pub at: Timestamp,
    /// The object.
    pub key: Key,
    /// Where it is.
    pub address: StackAddress,
    /// The stack.
    pub id: StackId,
    /// As of which change.
    pub version: StackVersion,
}

/// The stack that is to be looked at next; none, if policy says not to look or none is at rest.
#[must_use]
pub fn due(plan: &Plan, input: &Input<'_>) -> Option<Due> {
    let every = SignedDuration::try_from(input.environment.policy.drift_every?).ok()?;
    let resting: Vec<(&Key, StackAddress, &StackState)> =
        input.environment.stacks.iter().filter_map(|(key, spec)| resting(plan, input, key, spec.address())).collect();
    let memories = &input.memory.objects.stacks;
    let looks = memories.iter().filter(|(key, _)| input.environment.stacks.contains_key(key));
    let last = looks.filter_map(|(_, memory)| last(&memory.drift)).max();
    let gap = every.checked_div(i32::try_from(resting.len().max(1) * 2).unwrap_or(i32::MAX)).unwrap_or(every);
    let quiet = last.map(|last| last.saturating_add(gap).unwrap_or(Timestamp::MAX));
    let none = DriftMemory::default();
    let all = resting.into_iter().map(|(key, address, state)| {
        let memory = memories.get(key).map_or(&none, |memory| &memory.drift);
        let wanted = wanted(key, memory, state, every);
        let at = match (memory.written.is_some() && memory.failed.is_none(), quiet) {
            (false, Some(quiet)) => wanted.max(quiet),
            _ => wanted,
        };
        Due { at, key: key.clone(), address, id: state.id.clone(), version: state.version() }
    });
    all.min_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)))
}

/// Nothing is done to it, and nothing is about to be.
fn resting<'a>(
    plan: &Plan,
    input: &Input<'a>,
    key: &'a Key,
    address: StackAddress,
) -> Option<(&'a Key, StackAddress, &'a StackState)> {
    let entry = plan.entries.get(key)?;
    let Seen::Present(stack) = input.observation.stack(&address) else { return None };
    let pending = input.memory.objects.stacks.get(key).is_some_and(|memory| memory.pending.is_some());
    let moves = |waiting: &Waiting| matches!(waiting, Waiting::Operation { .. } | Waiting::ChangeSet { .. });
    let quiet = entry.step.is_none()
        && entry.action != Action::Unknown
        && !pending
        && !input.busy.contains(key)
        && !entry.waiting.iter().any(moves);
    (quiet && row(stack.state.status).standing == Standing::Steady).then_some((key, address, &stack.state))
}

fn wanted(key: &Key, memory: &DriftMemory, state: &StackState, every: SignedDuration) -> Timestamp {
    let after = |at: Timestamp, pause: SignedDuration| at.saturating_add(pause).unwrap_or(Timestamp::MAX);
    if let Some(failed) = &memory.failed {
        let pause = AGAIN.checked_mul(2_i32.saturating_pow(failed.count.saturating_sub(1))).unwrap_or(every);
        return after(failed.at, pause.min(every));
    }
    if let Some(written) = &memory.written {
        return after(written.at, SETTLE);
    }
    match &memory.seen {
        // Somebody else has updated it.
        Some(look) if look.version != state.version() => after(state.version().moved, SETTLE),
        Some(look) => after(look.at, spread(key, every)),
        None => state.version().moved,
    }
}

fn last(memory: &DriftMemory) -> Option<Timestamp> {
    let failed = memory.failed.as_ref().map(|failed| failed.at);
    memory.seen.as_ref().map(|look| look.at).max(failed)
}

/// Between nine and eleven tenths of it, always the same for one stack: they drift apart, and stay apart.
fn spread(key: &Key, every: SignedDuration) -> SignedDuration {
    let digest = Digest::of(key);
    let byte = digest.as_str().get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
    every.mul_f64_saturating(0.9 + 0.2 * f64::from(byte) / 255.0)
}

/// Multiplication that cannot fail.
trait Scaled {
    fn mul_f64_saturating(self, by: f64) -> Self;
}

impl Scaled for SignedDuration {
    fn mul_f64_saturating(self, by: f64) -> Self {
        Self::try_from_secs_f64(self.as_secs_f64() * by).unwrap_or(self)
    }
}
