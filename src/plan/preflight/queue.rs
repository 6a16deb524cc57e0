//! What the queue of events must be and allow, so that events arrive: one line for each prerequisite.

use std::time::Duration;

use crate::model::{EventQueue, Met, Prerequisite, QueueState, Unknown};

/// A daemon that is down for less loses no event.
const KEEPS_AT_LEAST: Duration = Duration::from_hours(24);

/// A message that is received less often goes to the dead-letter queue because a daemon was restarted twice.
const RECEIVED_AT_LEAST: u32 = 3;

/// What became of a call that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is allowed.
    Allowed,
    /// It is not, and what AWS says.
    Denied(String),
    /// It could not be found out.
    Unknown(Unknown),
}

/// What was asked of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAnswers {
    /// How it is set up; none: there is no such queue.
    pub state: Result<Option<QueueState>, Tried>,
    /// Whether messages may be received.
    pub receive: Tried,
    /// Whether they may be deleted.
    pub delete: Tried,
}

/// What the answers mean.
#[must_use]
pub fn judge_queue(queue: &EventQueue, answers: &QueueAnswers) -> Vec<Prerequisite> {
    let name = queue.url.rsplit('/').next().unwrap_or(&queue.url);
    let mut lines = vec![exists(name, queue, answers)];
    if let Ok(Some(state)) = &answers.state {
        lines.extend([key(state), dead_letter(state), keeps(state)]);
    }
    // Of a queue that is not there the rest would say the same.
    if !matches!(answers.state, Ok(None)) {
        lines.push(allowed("sqs:ReceiveMessage", &answers.receive));
        lines.push(allowed("sqs:DeleteMessage", &answers.delete));
    }
    lines
}

fn line(topic: &str, what: &str, met: Met, found: impl Into<String>, remedy: Option<&str>) -> Prerequisite {
    let (topic, remedy) = (topic.to_owned(), remedy.map(str::to_owned));
    Prerequisite { topic, what: what.to_owned(), met, found: found.into(), remedy }
}

fn exists(name: &str, queue: &EventQueue, answers: &QueueAnswers) -> Prerequisite {
    let what = format!("queue {name}");
    match &answers.state {
        Ok(Some(state)) => {
            let found = format!("{}, {} messages waiting", state.arn, state.waiting);
            let its_own = format!(":{}:{}:{name}", queue.scope.region, queue.scope.account);
            if state.arn.ends_with(&its_own) {
                return line("queue", &what, Met::Ok, found, None);
            }
            let remedy =
                "correct `events.queue` in the operator's configuration: its account and region must be the queue's";
            line("queue", &what, Met::Missing, found, Some(remedy))
        }
        Ok(None) => {
            let remedy = "deploy the stack event-queue of manifests/ops, or correct `events.queue` in the operator's configuration";
            line("queue", &what, Met::Missing, "it does not exist", Some(remedy))
        }
        Err(tried) => Prerequisite { what, ..allowed("sqs:GetQueueAttributes", tried) },
    }
}

/// EventBridge is not among those whom the policy of SQS's own key allows to use it, and nobody can change that policy
/// (AWS: *Amazon SQS key management*). What it cannot encrypt it drops without an error.
fn key(state: &QueueState) -> Prerequisite {
    let what = "encryption key of the queue";
    match state.kms_key.as_deref() {
        None => line("queue", what, Met::Ok, "no KMS key; EventBridge can send", None),
        Some(key) if key.ends_with("alias/aws/sqs") => {
            let remedy = "use a customer managed key whose policy allows events.amazonaws.com kms:GenerateDataKey and \
            kms:Decrypt, or encryption by SQS (SSE-SQS); the dead-letter queue needs the same";
            let found =
                format!("{key}, the AWS managed key: EventBridge cannot use it, and events are lost without an error");
            line("queue", what, Met::Missing, found, Some(remedy))
        }
        Some(key) => {
            line("queue", what, Met::Ok, format!("{key}; its policy must allow events.amazonaws.com to use it"), None)
        }
    }
}

fn dead_letter(state: &QueueState) -> Prerequisite {
    let what = "dead-letter queue";
    match &state.dead_letter {
        None => {
            let remedy =
                "set a redrive policy: messages that cannot be read would otherwise be received again and again";
            line("queue", what, Met::Missing, "none", Some(remedy))
        }
        Some((arn, times)) if *times < RECEIVED_AT_LEAST => {
            let remedy = format!("set `maxReceiveCount` to at least {RECEIVED_AT_LEAST}; manifests/ops has 5");
            line("queue", what, Met::Missing, format!("{arn}, after {times} receives"), Some(&remedy))
        }
        Some((arn, times)) => line("queue", what, Met::Ok, format!("{arn}, after {times} receives"), None),
    }
}

fn keeps(state: &QueueState) -> Prerequisite {
    let what = "message retention of the queue";
    let found = humantime::format_duration(state.keeps).to_string();
    if state.keeps >= KEEPS_AT_LEAST {
        return line("queue", what, Met::Ok, found, None);
    }
    let remedy = "set `MessageRetentionPeriod` to at least a day, so that a daemon that was down finds what happened";
    line("queue", what, Met::Missing, found, Some(remedy))
}

fn allowed(action: &str, tried: &Tried) -> Prerequisite {
    let what = format!("permission for {action}");
    match tried {
        Tried::Allowed => line("permission", &what, Met::Ok, "allowed", None),
        Tried::Denied(why) => {
            let remedy = "allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on the queue, and kms:Decrypt \
            on its key, for the credentials of this process";
            line("permission", &what, Met::Missing, why.clone(), Some(remedy))
        }
        Tried::Unknown(why) => line("permission", &what, Met::Unknown, why.to_string(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:us-east-1:999900001111:landfast-events";

    fn judged(change: impl FnOnce(&mut QueueAnswers)) -> Vec<(String, Met)> {
        let queue = EventQueue {
            url: "https://sqs.us-east-1.amazonaws.com/999900001111/landfast-events".to_owned(),
            scope: crate::model::Scope {
                account: "999900001111".parse().unwrap(),
                region: "us-east-1".parse().unwrap(),
            },
        };
        let state = QueueState {
            arn: ARN.to_owned(),
            waiting: 3,
            kms_key: Some("arn:aws:kms:us-east-1:999900001111:key/1".to_owned()),
            dead_letter: Some((format!("{ARN}-dead"), 5)),
            keeps: Duration::from_hours(96),
        };
        let mut answers = QueueAnswers { state: Ok(Some(state)), receive: Tried::Allowed, delete: Tried::Allowed };
        change(&mut answers);
        judge_queue(&queue, &answers)
            .into_iter()
            .map(|line| (format!("{}: {}", line.what, line.found), line.met))
            .collect()
    }

    fn state(change: impl FnOnce(&mut QueueState)) -> Vec<String> {
        let lines = judged(|answers| change(answers.state.as_mut().unwrap().as_mut().unwrap()));
        lines.into_iter().filter(|(_, met)| *met == Met::Missing).map(|(line, _)| line).collect()
    }

    #[test]
    fn a_queue_of_our_templates_is_ready() {
        let lines = judged(|_| {});
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|(_, met)| *met == Met::Ok), "{lines:?}");
        assert!(lines[0].0.contains("3 messages waiting"), "{lines:?}");
    }

    #[test]
    fn what_loses_events_is_missing() {
        let missing = |change: fn(&mut QueueState)| match state(change).as_slice() {
            [line] => line.clone(),
            lines => panic!("{lines:?}"),
        };
        let managed = missing(|state| state.kms_key = Some("alias/aws/sqs".to_owned()));
        assert!(managed.contains("events are lost without an error"), "{managed}");
        assert_eq!(missing(|state| state.dead_letter = None), "dead-letter queue: none");
        let soon = missing(|state| state.dead_letter = Some(("arn".to_owned(), 1)));
        assert!(soon.contains("after 1 receives"), "{soon}");
        let short = missing(|state| state.keeps = Duration::from_mins(1));
        assert_eq!(short, "message retention of the queue: 1m");
        let other = missing(|state| state.arn = ARN.replace("us-east-1", "eu-west-1"));
        assert!(other.contains("eu-west-1"), "{other}");
        assert!(state(|state| state.kms_key = None).is_empty());
        assert!(state(|state| state.keeps = Duration::from_hours(24)).is_empty());
    }

    #[test]
    fn what_is_denied_is_missing_and_what_is_not_known_is_said() {
        let lines = judged(|answers| {
            answers.state = Err(Tried::Denied("no".to_owned()));
            answers.receive = Tried::Denied("no".to_owned());
            answers.delete = Tried::Unknown(Unknown::because("no answer"));
        });
        let met: Vec<Met> = lines.iter().map(|(_, met)| *met).collect();
        assert_eq!(met, [Met::Missing, Met::Missing, Met::Unknown], "{lines:?}");
        assert_eq!(
            judged(|answers| answers.state = Ok(None)),
            [("queue landfast-events: it does not exist".to_owned(), Met::Missing)]
        );
    }
}
