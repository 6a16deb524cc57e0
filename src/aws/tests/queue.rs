//! What SQS is asked and answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::wire::{Answer, Wire, scope};
use crate::model::EventQueue;
use crate::ports::{Class, Queue};

type Headers = &'static [(&'static str, &'static str)];

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/landfast";

async fn queue(wire: &Wire) -> Arc<dyn Queue> {
    wire.cloud(None).await.queue(&EventQueue { url: URL.to_owned(), scope: scope() })
}

fn ok(answer: &Value) -> Answer {
    Answer::Http(200, answer.to_string())
}

#[tokio::test]
async fn messages_are_waited_for_and_hidden() {
    let wire = Wire::answering([
        ok(&json!({ "Messages": [
            {
                "MessageId": "1", "ReceiptHandle": "r1", "Body": "{\"id\": \"1\"}",
                "Attributes": { "SentTimestamp": "1772452800123", "ApproximateReceiveCount": "3" },
            },
            { "MessageId": "2", "ReceiptHandle": "r2" },
        ]})),
        ok(&json!({})),
    ]);
    let queue = queue(&wire).await;
    let messages = queue.receive(Duration::from_mins(1), Duration::from_secs(90)).await.unwrap();
    let first = &messages[0];
    assert_eq!((first.body.as_str(), first.receipt.as_str(), first.received), ("{\"id\": \"1\"}", "r1", 3));
    assert_eq!(first.sent, Some("2026-03-02T12:00:00.123Z".parse().unwrap()));
    let second = &messages[1];
    assert_eq!((second.body.as_str(), second.receipt.as_str(), second.received, second.sent), ("", "r2", 1, None));
    assert_eq!(queue.receive(Duration::ZERO, Duration::from_hours(99)).await.unwrap(), []);
    let sent = wire.sent();
    assert_eq!(sent[0].uri, "https://sqs.eu-central-1.amazonaws.com/");
    let [first, second] = [0, 1].map(|at| serde_json::from_str::<Value>(&sent[at].body).unwrap());
    assert_eq!(
        first,
        json!({
            "QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "VisibilityTimeout": 90,
            "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount"],
        })
    );
    assert_eq!((&second["WaitTimeSeconds"], &second["VisibilityTimeout"]), (&json!(0), &json!(43_200)));
}

#[tokio::test]
async fn every_message_of_a_batch_is_accounted_for() {
    let failed =
        |id: &str, code: &str, ours: bool| json!({ "Id": id, "Code": code, "Message": "no", "SenderFault": ours });
    let wire = Wire::answering([ok(&json!({
        "Successful": [{ "Id": "0" }],
        "Failed": [
            failed("1", "InternalError", false),
            failed("2", "ReceiptHandleIsInvalid", true),
            failed("3", "KmsThrottled", true),
            failed("4", "NeverHeardOfIt", false),
            failed("5", "NeverHeardOfIt", true),
        ],
    }))]);
    let queue = queue(&wire).await;
    let receipts: Vec<String> = (0..7).map(|at| format!("r{at}")).collect();
    let left = queue.delete(&receipts).await.unwrap();
    let left: Vec<_> = left.iter().map(|(receipt, error)| (receipt.as_str(), error.class)).collect();
    assert_eq!(
        left,
        [
            ("r1", Class::Transient),
            ("r2", Class::Invalid),
            ("r3", Class::Throttled),
            ("r4", Class::Transient),
            ("r5", Class::Invalid),
            // The answer does not mention it.
            ("r6", Class::Transient),
        ]
    );
    let sent: Value = serde_json::from_str(&wire.sent()[0].body).unwrap();
    assert_eq!((&sent["Entries"][6], &sent["QueueUrl"]), (&json!({ "Id": "6", "ReceiptHandle": "r6" }), &json!(URL)));
    // Nothing costs nothing, and too many are not sent.
    assert!(queue.delete(&[]).await.unwrap().is_empty());
    assert_eq!(queue.delete(&vec!["r".to_owned(); 11]).await.unwrap_err().class, Class::Invalid);
    assert_eq!(wire.sent().len(), 1);
}

#[tokio::test]
async fn a_queue_says_how_it_is_set_up() {
    let arn = "arn:aws:sqs:eu-central-1:111122223333:landfast";
    let whole = |policy: &str| {
        ok(&json!({ "Attributes": {
            "QueueArn": arn, "ApproximateNumberOfMessages": "7", "KmsMasterKeyId": "alias/aws/sqs",
            "RedrivePolicy": policy, "MessageRetentionPeriod": "345600",
        }}))
    };
    let plain = json!({ "QueueArn": arn, "ApproximateNumberOfMessages": "0", "MessageRetentionPeriod": "60" });
    let text = format!("{{\"deadLetterTargetArn\":\"{arn}-dead\",\"maxReceiveCount\":\"5\"}}");
    let wire = Wire::answering([
        whole(&text),
        whole(&text.replace("\"5\"", "5")),
        whole("{}"),
        ok(&json!({ "Attributes": plain })),
        ok(&json!({})),
    ]);
    let queue = queue(&wire).await;
    for _ in 0..2 {
        let state = queue.state().await.unwrap();
        assert_eq!((state.arn.as_str(), state.waiting, state.kms_key.as_deref()), (arn, 7, Some("alias/aws/sqs")));
        assert_eq!((state.dead_letter, state.keeps), (Some((format!("{arn}-dead"), 5)), Duration::from_hours(96)));
    }
    assert_eq!(queue.state().await.unwrap_err().class, Class::Transient);
    let state = queue.state().await.unwrap();
    assert_eq!((state.kms_key, state.dead_letter, state.keeps), (None, None, Duration::from_mins(1)));
    assert_eq!(queue.state().await.unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn errors_of_queues_and_their_keys_have_a_class() {
    let refusal = |code: &str, query: Headers| {
        Answer::Headed(
            400,
            query,
            json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": "no" }).to_string(),
        )
    };
    let cases: [(&str, Headers, Class); 7] = [
        ("QueueDoesNotExist", &[], Class::NotFound),
        (
            "QueueDoesNotExist",
            &[("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")],
            Class::NotFound,
        ),
        ("KmsAccessDenied", &[("x-amzn-query-error", "KMS.AccessDeniedException;Sender")], Class::Denied),
        ("KmsDisabled", &[], Class::Denied),
        ("OverLimit", &[], Class::Throttled),
        ("RequestThrottled", &[], Class::Throttled),
        ("InvalidSecurity", &[], Class::Invalid),
    ];
    let wire = Wire::answering(cases.iter().map(|(code, query, _)| refusal(code, query)));
    let queue = queue(&wire).await;
    for (code, _, class) in cases {
        let error = queue.receive(Duration::ZERO, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.class, class, "{code}: {error}");
    }
}
