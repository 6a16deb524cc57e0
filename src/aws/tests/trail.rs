//! What CloudTrail is asked and answers.

use super::super::wire::{Answer, Wire, scope};
use crate::ports::Cloud as _;

#[tokio::test]
async fn an_event_says_who_it_was_from_where_and_whether_it_only_read() {
    let record = |identity: &str| format!(r#"{{"sourceIPAddress":"203.0.113.7","userIdentity":{identity}}}"#);
    let event = |id: &str, read: &str, record: &str| {
        serde_json::json!({
            "EventId": id, "EventName": "UpdateTable", "EventTime": 1_772_452_800.0, "ReadOnly": read,
            "Username": "ann", "CloudTrailEvent": record,
        })
    };
    let answer = serde_json::json!({
        "Events": [
            event("1", "false", &record(r#"{"arn":"arn:aws:iam::111122223333:user/ann"}"#)),
            event("2", "true", "not JSON"),
            event("3", "false", &record(r#"{"invokedBy":"cloudformation.amazonaws.com"}"#)),
        ],
        "NextToken": "more",
    });
    let wire = Wire::answering([Answer::Http(200, answer.to_string())]);
    let trail = wire.cloud(None).await.trail(&scope(), None);
    let page = trail.deeds("reviews", "2026-03-01T00:00:00Z".parse().unwrap(), None).await.unwrap();
    let told: Vec<_> = page.items.iter().map(|deed| (&*deed.actor, deed.from.as_deref(), deed.reads)).collect();
    assert_eq!(
        told,
        [
            ("arn:aws:iam::111122223333:user/ann", Some("203.0.113.7"), false),
            ("ann", None, true),
            ("ann", Some("cloudformation.amazonaws.com"), false),
        ]
    );
    assert_eq!((page.next.as_deref(), page.items[0].call.as_str()), (Some("more"), "UpdateTable"));
    let sent = &wire.sent()[0].body;
    for part in [r#""AttributeKey":"ResourceName""#, r#""AttributeValue":"reviews""#, r#""StartTime":1772323200"#] {
        assert!(sent.contains(part), "{sent}");
    }
}
