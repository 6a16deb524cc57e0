//! What is going on, as it goes on: typed for a progress display, one plain line each where there is no terminal.
//!
//! The controller says these things and does not know who listens. A line begins with the time, so that a log of them
//! needs nothing else, and names the object next, so that it can be searched for.

use std::time::Duration;

use jiff::Timestamp;

use super::words;
use crate::model::{Conclusion, EnvName, Key, OperationKind, Refusal, RolloutOutcome, StackStatus, Waiting};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// An environment was looked at and planned.
    LookedAt {
        /// Which.
        environment: EnvName,
        /// Objects in it.
        objects: usize,
        /// Of these, ready.
        ready: usize,
    },
    /// A step was taken.
    Took {
        /// The object.
        key: Key,
        /// What was done: [`crate::model::Act::verb`].
        verb: &'static str,
    },
    /// An operation of ours began.
    Began {
        /// The object.
        key: Key,
        /// What AWS calls it.
        name: String,
        /// What sort of operation.
        kind: OperationKind,
    },
    /// The status of a stack with a running operation moved.
    Moved {
        /// The object.
        key: Key,
        /// To this.
        status: StackStatus,
        /// How long the operation runs.
        elapsed: Duration,
    },
    /// An operation of ours ended.
    Concluded {
        /// The object.
        key: Key,
        /// What sort of operation.
        kind: OperationKind,
        /// How.
        conclusion: Conclusion,
        /// How long it ran.
        took: Duration,
    },
    /// A rollout ended.
    RolledOut {
        /// The service.
        key: Key,
        /// How.
        outcome: RolloutOutcome,
        /// The images that it brought or should have brought, as people call them.
        images: Vec<String>,
        /// Why it failed.
        why: Option<String>,
    },
    /// An object waits for something else than before.
    Waits {
        /// The object.
        key: Key,
        /// What for.
        waiting: Waiting,
    },
    /// An object is as desired now.
    Ready {
        /// The object.
        key: Key,
    },
    /// An object is refused now, or is refused by another rule.
    Refused {
        /// The object.
        key: Key,
        /// By which rule, and what would release it.
        refusal: Refusal,
    },
}

impl Progress {
    /// The object it is about, if it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::LookedAt { .. } => None,
            Self::Took { key, .. }
            | Self::Began { key, .. }
            | Self::Moved { key, .. }
            | Self::Concluded { key, .. }
            | Self::RolledOut { key, .. }
            | Self::Waits { key, .. }
            | Self::Ready { key }
            | Self::Refused { key, .. } => Some(key),
        }
    }

    /// It as a line, without a line end. `None` for what would only be noise.
    #[must_use]
    pub fn line(&self, at: Timestamp) -> Option<String> {
        let subject = match self {
            Self::LookedAt { environment, .. } => environment.to_string(),
            other => other.key()?.to_string(),
        };
        Some(format!("{} {subject}: {}", words::time(at), self.message()?))
    }

    fn message(&self) -> Option<String> {
        Some(match self {
            Self::LookedAt { objects, ready, .. } => format!("{ready} of {} ready", words::count(*objects, "object")),
            Self::Took { verb, .. } => taken(verb)?.to_owned(),
            Self::Began { name, kind, .. } => format!("{} of {name} began", words::operation(*kind)),
            Self::Moved { status, elapsed, .. } => format!("{status} after {}", words::duration(*elapsed)),
            Self::Concluded { kind, conclusion, took, .. } => {
                let (operation, took) = (words::operation(*kind), words::duration(*took));
                match conclusion {
                    Conclusion::Succeeded => format!("{operation} succeeded after {took}"),
                    Conclusion::Failed(failure) => {
                        format!("{operation} FAILED after {took}: {}", words::failure(failure))
                    }
                    Conclusion::NotSeen => {
                        format!("{operation} never reached AWS (looked for {took}); it will be tried again")
                    }
                    Conclusion::Running => return None,
                }
            }
            Self::RolledOut { outcome, images, why, .. } => rolled_out(*outcome, images, why.as_deref()),
            Self::Waits { waiting, .. } => format!("waits for {}", words::waiting(waiting)),
            Self::Ready { .. } => "ready".to_owned(),
            Self::Refused { refusal, .. } => format!(
                "REFUSED ({}): {}. Release: {}",
                words::guard(refusal.guard),
                words::clean(&refusal.reason),
                words::clean(&refusal.release)
            ),
        })
    }
}

fn rolled_out(outcome: RolloutOutcome, images: &[String], why: Option<&str>) -> String {
    let what = if images.is_empty() { "rollout".to_owned() } else { format!("rollout of {}", images.join(", ")) };
    let why = why.map(|why| format!(": {}", words::clean(why))).unwrap_or_default();
    match outcome {
        RolloutOutcome::Proven => format!("{what} succeeded: every running task has it"),
        RolloutOutcome::RolledBack => format!("{what} FAILED and was taken back{why}"),
        RolloutOutcome::Failed => format!("{what} FAILED and still runs{why}"),
        RolloutOutcome::Superseded => format!("{what} was superseded: somebody else has deployed"),
        RolloutOutcome::Unproven => format!("{what} ended, and no running task proves it"),
    }
}

/// Steps that begin an operation or write down how it ended are told by those events; a line more would be noise.
fn taken(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "prepare" => "change set requested",
        "discard" => "change sets that are no longer needed removed",
        "protect" => "termination protection switched",
        "set-policy" => "stack policy set",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Guard;
    use crate::report::fixtures::{self, at, key};

    #[test]
    fn every_line_says_when_who_and_what() {
        let kind = OperationKind::Create;
        let concluded =
            |conclusion| Progress::Concluded { key: key("msk"), kind, conclusion, took: Duration::from_secs(1503) };
        let rolled = |outcome, why: Option<&str>| Progress::RolledOut {
            key: "dev/service/web".parse().unwrap(),
            outcome,
            images: vec!["1.4.2".to_owned()],
            why: why.map(str::to_owned),
        };
        let refusal = Refusal {
            guard: Guard::Budget,
            reason: "2 deletions in 1h; the budget allows 0".to_owned(),
            release: "landfast approve dev --plan 3f0b7c1d22aa".to_owned(),
        };
        let all = [
            Progress::LookedAt { environment: "dev".parse().unwrap(), objects: 12, ready: 3 },
            Progress::Took { key: key("msk"), verb: "prepare" },
            Progress::Began { key: key("msk"), name: "dev-performance-mgmt-msk".to_owned(), kind },
            Progress::Moved {
                key: key("msk"),
                status: StackStatus::UpdateCompleteCleanupInProgress,
                elapsed: Duration::from_secs(63),
            },
            concluded(Conclusion::Succeeded),
            concluded(Conclusion::Failed(fixtures::failure())),
            concluded(Conclusion::NotSeen),
            rolled(RolloutOutcome::Proven, None),
            rolled(RolloutOutcome::RolledBack, Some("its image could not be pulled (2 × CannotPullContainerError)")),
            Progress::Waits { key: key("alb"), waiting: Waiting::Turn },
            Progress::Ready { key: key("msk") },
            Progress::Refused { key: key("legacy"), refusal },
        ];
        let lines: Vec<String> = all.iter().map(|progress| progress.line(at("03:12:30")).unwrap()).collect();
        fixtures::golden("progress.txt", &lines.join("\n"));
    }

    #[test]
    fn what_another_event_tells_makes_no_line() {
        for verb in ["conclude", "settle", "reject", "create", "execute"] {
            assert_eq!(Progress::Took { key: key("msk"), verb }.line(at("03:12:30")), None);
        }
    }
}
