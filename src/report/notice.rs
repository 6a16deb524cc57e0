//! What people are told without asking: what a plan shows that they should know, and the messages that say so.

use serde_json::{Value, json};

use super::words;
use crate::model::{
    Action, Ailment, BackupMemory, Diagnosis, Entry, Guard, Memory, Notice, NoticeKind, Phase, Plan, Remembered as _,
    Symptom, Urgency, Waiting,
};

/// Letters of a cause that tell one from another.
const CAUSE_MAX: usize = 120;
/// Letters of a text. Slack takes 3,000 in a section (Slack: *Section block*), Teams 28 KB in a message.
const TEXT_MAX: usize = 600;

/// What of a plan people should know.
#[must_use]
pub fn symptoms(plan: &Plan, memory: &Memory) -> Vec<Symptom> {
    let mut found = Vec::new();
    for (key, entry) in &plan.entries {
        let mut say = |kind: NoticeKind, cause: String, text: String| {
            let occasion = match kind {
                NoticeKind::Failed | NoticeKind::Stalled => plan.revision.to_string(),
                NoticeKind::Approval => plan.digest.code(),
                NoticeKind::Drift | NoticeKind::DataAtRisk | NoticeKind::Unknown => String::new(),
            };
            found.push(Symptom { object: key.clone(), kind, cause, occasion, text: cut(&text) });
        };
        of_entry(entry, &mut say);
        if let Some(backup) = BackupMemory::all(&memory.objects).get(key) {
            for failed in backup.failed_restores() {
                let text = format!("a restore or a restore test of {} failed: {}", failed.table, failed.why);
                say(NoticeKind::DataAtRisk, cause(failed.why), text);
            }
        }
    }
    found
}

fn of_entry(entry: &Entry, say: &mut impl FnMut(NoticeKind, String, String)) {
    if entry.action == Action::Unknown || entry.waiting.iter().any(|one| matches!(one, Waiting::Unknown { .. })) {
        let why = entry.waiting.iter().find(|one| matches!(one, Waiting::Unknown { .. }));
        let text = why.map_or_else(|| "AWS could not be read".to_owned(), words::waiting);
        say(NoticeKind::Unknown, "AWS could not be read".to_owned(), text);
        return;
    }
    for waiting in &entry.waiting {
        match waiting {
            Waiting::Backoff { failure, .. } => {
                let text = format!("{} ({}): {}", failure.resource, failure.kind, failure.reason);
                say(NoticeKind::Failed, cause(&format!("{}: {}", failure.kind, failure.reason)), text);
            }
            Waiting::Readiness { overdue: true, check, why, .. } => {
                say(NoticeKind::Failed, cause(&format!("{check}: {why}")), format!("the check {check} fails: {why}"));
            }
            Waiting::Approval { command } => {
                say(NoticeKind::Approval, "approval".to_owned(), format!("approve it with `{command}`"));
            }
            _ => {}
        }
    }
    for refusal in &entry.refused {
        let kind = match refusal.guard {
            // Somebody wants it so.
            Guard::Mode | Guard::Prune => continue,
            Guard::Unproven | Guard::Objective | Guard::Implausible | Guard::NoTable => NoticeKind::DataAtRisk,
            _ => NoticeKind::Stalled,
        };
        let guard = words::guard(refusal.guard);
        let text = format!("{guard}: {}. To resolve it: {}", refusal.reason, refusal.release);
        say(kind, cause(&format!("{guard}: {}", refusal.reason)), text);
    }
    for diagnosis in &entry.ailments {
        if let Some(kind) = of_ailment(diagnosis) {
            let named = format!("{:?}", diagnosis.ailment);
            say(kind, named.clone(), format!("{named}: {}", diagnosis.evidence.join("; ")));
        }
    }
    if let Some(drift) = entry.drift.as_ref().filter(|drift| drift.differences > 0) {
        let text = format!("drift: {}", words::count(drift.differences, "difference"));
        say(NoticeKind::Drift, "drift".to_owned(), text);
    }
}

/// What is only untidy is for `doctor`.
fn of_ailment(diagnosis: &Diagnosis) -> Option<NoticeKind> {
    match diagnosis.ailment {
        Ailment::TableGone | Ailment::StackGone => Some(NoticeKind::DataAtRisk),
        Ailment::RollbackFailed
        | Ailment::UpdateFailed
        | Ailment::ImportFailed
        | Ailment::DeletionFailed
        | Ailment::Stalled
        | Ailment::ServiceNotSteady => Some(NoticeKind::Stalled),
        _ => None,
    }
}

/// A text without what differs from one occurrence to the next: numbers, and IDs with numbers in them. Two objects that fail for
/// the same reason have the same cause, and so has one that fails again.
fn cause(text: &str) -> String {
    let is_id = |word: &&str| word.bytes().any(|b| b.is_ascii_digit());
    let words: Vec<&str> = text.split_whitespace().map(|word| if is_id(&word) { "#" } else { word }).collect();
    words.join(" ").chars().take(CAUSE_MAX).collect()
}

fn cut(text: &str) -> String {
    let text = words::clean(text);
    if text.chars().count() <= TEXT_MAX {
        return text;
    }
    text.chars().take(TEXT_MAX).chain(['…']).collect()
}

/// The first line of a message.
#[must_use]
pub fn title(notice: &Notice) -> String {
    let environment = &notice.environment;
    let objects = words::count(notice.count, "object");
    match (notice.phase, notice.kind) {
        (Phase::Test, _) | (_, None) => format!("{environment}: a test of notifications"),
        (Phase::Began, Some(kind)) => format!("{environment}: {kind} ({objects})"),
        (Phase::Lasts, Some(kind)) => {
            format!("{environment}: still {kind} ({objects}), since {}", words::time(notice.since))
        }
        (Phase::Recovered, Some(kind)) => format!("{environment}: recovered: {kind} ({objects})"),
    }
}

/// The objects of a message, and how many more there are.
fn objects(notice: &Notice) -> String {
    let named = notice.objects.iter().map(|object| format!("- {object}"));
    let more = notice.count.saturating_sub(notice.objects.len());
    let more = (more > 0).then(|| format!("- and {more} more"));
    named.chain(more).collect::<Vec<_>>().join("\n")
}

/// What an incoming webhook of Slack takes (Slack: *Sending messages using incoming webhooks*). Everything is plain text: what
/// others wrote can neither mention anybody nor make a link.
#[must_use]
pub fn slack(notice: &Notice) -> Value {
    let plain =
        |text: String| json!({ "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } });
    let blocks: Vec<Value> = [title(notice), notice.text.clone(), objects(notice)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(plain)
        .collect();
    json!({ "text": title(notice).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"), "blocks": blocks })
}

/// What a webhook of Teams Workflows takes: a message with an Adaptive Card (Microsoft: *Create incoming webhooks with Workflows*).
#[must_use]
pub fn teams(notice: &Notice) -> Value {
    let colour = match notice.urgency {
        _ if notice.phase == Phase::Recovered => "Good",
        Urgency::Info => "Default",
        Urgency::Warning => "Warning",
        Urgency::Critical => "Attention",
    };
    // Inlines of a RichTextBlock are not read as Markdown.
    let block = |text: String, weight: &str, colour: &str| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text, "weight": weight, "color": colour }] });
    let mut body = vec![block(title(notice), "Bolder", colour)];
    body.extend(
        [notice.text.clone(), objects(notice)]
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| block(text, "Default", "Default")),
    );
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

/// What any program takes (Standard Webhooks: *Payload structure*).
#[must_use]
pub fn webhook(notice: &Notice) -> Value {
    let kind = notice.kind.map_or(Value::Null, |kind| json!(kind));
    let event = kind.as_str().unwrap_or("test").to_owned();
    let phase = match notice.phase {
        Phase::Began => "began",
        Phase::Lasts => "lasts",
        Phase::Recovered => "recovered",
        Phase::Test => "test",
    };
    json!({
        "type": format!("landfast.{event}.{phase}"),
        "timestamp": notice.at.to_string(),
        "data": notice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, at};

    fn notice(phase: Phase, text: &str) -> Notice {
        Notice {
            id: "msg_1".to_owned(),
            environment: "prod".parse().unwrap(),
            kind: Some(NoticeKind::Failed),
            urgency: Urgency::Warning,
            phase,
            objects: vec!["prod/stack/network".to_owned()],
            count: 3,
            text: text.to_owned(),
            occasion: "abc".to_owned(),
            since: at("02:00:00"),
            at: at("03:00:00"),
        }
    }

    #[test]
    fn the_same_reason_is_the_same_cause_whatever_ids_and_numbers_it_has() {
        let one = cause("AWS::EC2::VPC: limit exceeded (request id 3f2a-11, 5 of 5)");
        assert_eq!(one, cause("AWS::EC2::VPC: limit exceeded (request id 9b77-20, 6 of 6)"));
        assert_ne!(one, cause("AWS::EC2::VPC: access denied"));
    }

    #[test]
    fn every_kind_that_a_plan_shows_is_a_symptom_once_for_each_object() {
        let plan = fixtures::everything();
        let memory = fixtures::memory();
        let found = symptoms(&plan, &memory);
        for kind in [NoticeKind::Failed, NoticeKind::Stalled, NoticeKind::Approval, NoticeKind::Unknown] {
            assert!(found.iter().any(|symptom| symptom.kind == kind), "{kind}: {found:?}");
        }
        assert!(found.iter().all(|symptom| !symptom.text.contains('\u{1b}')));
    }

    /// What others wrote names nobody and links nowhere.
    #[test]
    fn what_others_wrote_is_plain_text_everywhere() {
        let hostile =
            notice(Phase::Began, "<!channel> <https://evil.example|click> **bold** [a](https://evil.example)");
        let slack = slack(&hostile);
        assert!(slack["blocks"].as_array().unwrap().iter().all(|block| block["text"]["type"] == "plain_text"));
        assert!(!slack["text"].as_str().unwrap().contains('<'));
        let teams = teams(&hostile);
        let body = teams["attachments"][0]["content"]["body"].as_array().unwrap();
        assert!(body.iter().all(|block| block["type"] == "RichTextBlock"));
        assert_eq!(webhook(&hostile)["data"]["text"], hostile.text);
    }

    #[test]
    fn a_message_says_what_how_many_and_whether_it_is_over() {
        assert_eq!(title(&notice(Phase::Began, "")), "prod: failed (3 objects)");
        assert_eq!(title(&notice(Phase::Recovered, "")), "prod: recovered: failed (3 objects)");
        assert!(title(&notice(Phase::Lasts, "")).contains("still failed (3 objects), since 2"));
        assert!(objects(&notice(Phase::Began, "")).ends_with("- and 2 more"));
        assert_eq!(webhook(&notice(Phase::Recovered, ""))["type"], "landfast.failed.recovered");
    }
}
