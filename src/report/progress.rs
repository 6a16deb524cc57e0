//! What is going on, as it goes on: typed for a progress display, one plain line each where there is no terminal.
//!
//! The controller says these things and does not know who listens. A line begins with the time, so that a log of them
//! needs nothing else, and names the object next, so that it can be searched for.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::words;
use crate::model::{
    Conclusion, Ended, EnvName, Key, OperationKind, Refusal, RolloutOutcome, Serving, StackStatus, Waiting,
};

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
    /// Objects of an environment cannot be read.
    Unread {
        /// Which environment.
        environment: EnvName,
        /// How many objects.
        objects: usize,
        /// Why one of them cannot, in AWS's words.
        why: String,
        /// Since when, if that was told before.
        since: Option<Timestamp>,
    },
    /// They can be read again.
    Recovered {
        /// Which environment.
        environment: EnvName,
        /// The call that had failed.
        call: String,
        /// How long it had.
        took: Duration,
    },
    /// Who is to serve the name of a record is published, for the first time or again.
    Published {
        /// The record.
        key: Key,
        /// Who is.
        to: Serving,
        /// How long it could not be.
        failed_for: Option<Duration>,
    },
    /// Who is to serve cannot be published.
    Unpublished {
        /// The record.
        key: Key,
        /// Who is.
        to: Serving,
        /// Why, in AWS's words.
        why: String,
        /// Since when, if that was told before.
        since: Option<Timestamp>,
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
        /// Its name in AWS.
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
    /// It was decided which images a service is to run.
    Decided {
        /// The service.
        key: Key,
        /// Why, by container.
        why: BTreeMap<String, String>,
    },
    /// A rollout has ended.
    RolledOut {
        /// The service.
        key: Key,
        /// How, and what shows it.
        ended: Box<Ended>,
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
            Self::LookedAt { .. } | Self::Unread { .. } | Self::Recovered { .. } => None,
            Self::Published { key, .. }
            | Self::Unpublished { key, .. }
            | Self::Took { key, .. }
            | Self::Began { key, .. }
            | Self::Moved { key, .. }
            | Self::Concluded { key, .. }
            | Self::Decided { key, .. }
            | Self::RolledOut { key, .. }
            | Self::Waits { key, .. }
            | Self::Ready { key }
            | Self::Refused { key, .. } => Some(key),
        }
    }

    /// It as a line, without a line end. `None` for what would only be noise.
    #[must_use]
    pub fn line(&self, at: Timestamp) -> Option<String> {
        Some(format!("{} {}: {}", words::time(at), self.subject()?, self.message()?))
    }

    /// The object or the environment that it is about.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::LookedAt { environment, .. }
            | Self::Unread { environment, .. }
            | Self::Recovered { environment, .. } => Some(environment.to_string()),
            other => other.key().map(ToString::to_string),
        }
    }

    /// Whether it calls for attention, wherever it is written.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Unread { .. } | Self::Unpublished { .. } | Self::Refused { .. } => true,
            Self::Waits { waiting, .. } => !matches!(waiting, Waiting::Readiness { overdue: false, .. }),
            Self::Concluded { conclusion, .. } => matches!(conclusion, Conclusion::Failed(_) | Conclusion::NotSeen),
            Self::RolledOut { ended, .. } => {
                matches!(ended.outcome, RolloutOutcome::RolledBack | RolloutOutcome::Failed)
            }
            _ => false,
        }
    }

    /// It without its subject. `None` for what would only be noise.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        Some(match self {
            Self::LookedAt { objects, ready, .. } => format!("{ready} of {} ready", words::count(*objects, "object")),
            Self::Unread { objects, why, since, .. } => {
                let still = since.map(|since| format!("still, since {}: ", words::time(since))).unwrap_or_default();
                format!("{still}{} cannot be read: {}", words::count(*objects, "object"), words::clean(why))
            }
            Self::Recovered { call, took, .. } => {
                format!("recovered: {} works again after {}", words::clean(call), words::duration(*took))
            }
            Self::Published { to, failed_for: None, .. } => {
                format!("traffic goes to the {to}: its metric is published")
            }
            Self::Published { to, failed_for: Some(time), .. } => {
                format!("traffic goes to the {to}: its metric is published again after {}", words::duration(*time))
            }
            Self::Unpublished { to, why, since, .. } => {
                let still = since.map(|since| format!("still, since {}: ", words::time(since))).unwrap_or_default();
                format!(
                    "{still}traffic was to go to the {to}, but its metric cannot be published: {}",
                    words::clean(why)
                )
            }
            Self::Took { verb, .. } => taken(verb)?.to_owned(),
            Self::Began { name, kind, .. } => format!("{} of {name} started", words::operation(*kind)),
            Self::Moved { status, elapsed, .. } => format!("{status} after {}", words::duration(*elapsed)),
            Self::Concluded { kind, conclusion, took, .. } => {
                let (operation, took) = (words::operation(*kind), words::duration(*took));
                match conclusion {
                    Conclusion::Succeeded => format!("{operation} succeeded after {took}"),
                    Conclusion::Failed(failure) => {
                        format!("{operation} FAILED after {took}: {}", words::failure(failure))
                    }
                    Conclusion::NotSeen => {
                        format!("{operation} did not reach AWS (searched for {took}); it will be retried")
                    }
                    Conclusion::Running => return None,
                }
            }
            Self::Decided { why, .. } => {
                let each = why.iter().map(|(container, why)| format!("{container}: {}", words::clean(why)));
                format!("decided on {}", each.collect::<Vec<_>>().join("; "))
            }
            Self::RolledOut { ended, .. } => words::rolled_out(ended),
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

/// Steps that begin an operation or write down how it ended are told by those events; a line more would be noise.
fn taken(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "prepare" => "change set requested",
        "discard" => "change sets deleted that are no longer needed",
        "protect" => "termination protection changed",
        "collect" => "old task definition deregistered",
        "set-policy" => "stack policy set",
        "back-up" => "backup started",
        "restore" => "restore started",
        "mark-restored" => "restored table tagged",
        "set-restored" => "settings of the original applied to the restored table",
        "unprotect-empty" => "deletion protection of the empty table switched off",
        "delete-empty" => "empty table deleted; its restored items come in its place",
        "remove-restored" => "table of the restore test deleted",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Guard;
    use crate::report::fixtures::{self, at, key};

    fn service() -> Key {
        "dev/service/api".parse().unwrap()
    }

    fn record() -> Key {
        "prod/dnsrecord/api".parse().unwrap()
    }

    #[test]
    fn every_line_says_when_who_and_what() {
        let kind = OperationKind::Create;
        let concluded =
            |conclusion| Progress::Concluded { key: key("msk"), kind, conclusion, took: Duration::from_secs(1503) };
        let refusal = Refusal {
            guard: Guard::Budget,
            reason: "2 deletions in 1h; the budget allows 0".to_owned(),
            release: "landfast approve dev --plan 3f0b7c1d22aa".to_owned(),
        };
        let all = [
            Progress::LookedAt { environment: "dev".parse().unwrap(), objects: 12, ready: 3 },
            Progress::Unread {
                environment: "dev".parse().unwrap(),
                objects: 12,
                why: "DescribeStacks failed: the security token is expired (ExpiredToken)".to_owned(),
                since: Some(at("02:12:30")),
            },
            Progress::Recovered {
                environment: "dev".parse().unwrap(),
                call: "DescribeStacks".to_owned(),
                took: Duration::from_secs(1503),
            },
            Progress::Published { key: record(), to: Serving::Standby, failed_for: None },
            Progress::Unpublished {
                key: record(),
                to: Serving::Standby,
                why: "PutMetricData failed: no answer within 5 s".to_owned(),
                since: Some(at("02:12:30")),
            },
            Progress::Published { key: record(), to: Serving::Primary, failed_for: Some(Duration::from_secs(63)) },
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
            Progress::Decided {
                key: service(),
                why: [("app".to_owned(), "1.2.0 is the greatest version".to_owned())].into(),
            },
            Progress::RolledOut { key: service(), ended: Box::new(fixtures::ended(RolloutOutcome::Proven)) },
            Progress::RolledOut { key: service(), ended: Box::new(fixtures::ended(RolloutOutcome::RolledBack)) },
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
