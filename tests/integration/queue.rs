//! The queue of events, against the emulator's SQS.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use landfast::aws::{AwsCloud, Settings};
use landfast::events;
use landfast::model::{EventQueue, Subject};
use landfast::ports::Class;

use crate::emulator::{self, Account};

/// Waits for nothing: what was sent is there.
const NOW: Duration = Duration::ZERO;
const HIDDEN: Duration = Duration::from_mins(1);

fn client(account: &Account) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .endpoint_url(&account.url)
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(account.credentials())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

#[tokio::test]
async fn what_was_sent_arrives_until_it_is_deleted() {
    let Some(account) = emulator::account(Duration::ZERO) else { return };
    let sqs = client(&account);
    let dead = sqs.create_queue().queue_name("landfast-dead").send().await.unwrap().queue_url.unwrap();
    let arn = format!("arn:aws:sqs:us-east-1:{}:landfast-dead", account.id);
    let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"5\"}}");
    let made = sqs.create_queue().queue_name("landfast").attributes(QueueAttributeName::RedrivePolicy, policy);
    let url = made.attributes(QueueAttributeName::VisibilityTimeout, "0").send().await.unwrap().queue_url.unwrap();
    assert!(dead.ends_with("/landfast-dead"));

    let cloud = account.cloud(None).await;
    let queue = cloud.queue(&EventQueue { url: url.clone(), scope: account.scope("us-east-1") });
    let state = queue.state().await.unwrap();
    assert_eq!(state.arn, format!("arn:aws:sqs:us-east-1:{}:landfast", account.id));
    assert_eq!((state.dead_letter, state.kms_key, state.waiting), (Some((arn, 5)), None, 0));
    assert_eq!(state.keeps, Duration::from_hours(96));
    assert_eq!(queue.receive(NOW, HIDDEN).await.unwrap(), []);

    let body = include_str!("../fuzz/corpus/events/ecr-push.json");
    for number in 0..12 {
        sqs.send_message()
            .queue_url(&url)
            .message_body(body.replace("13cde686", &number.to_string()))
            .send()
            .await
            .unwrap();
    }
    let (mut ids, mut receipts) = (BTreeSet::new(), Vec::new());
    while ids.len() < 12 {
        let messages = queue.receive(NOW, HIDDEN).await.unwrap();
        assert!((1..=10).contains(&messages.len()), "{}", messages.len());
        for message in messages {
            let signal = events::read(&message.body).unwrap();
            assert_eq!(signal.about, [Subject::Repository("my-repository-name".to_owned())]);
            assert!(message.sent.is_some() && message.received == 1);
            ids.insert(signal.id);
            receipts.push(message.receipt);
        }
    }
    assert_eq!(queue.receive(NOW, HIDDEN).await.unwrap(), [], "what was received is hidden");
    assert!(queue.delete(&receipts[..10]).await.unwrap().is_empty());
    let wrong = [receipts[10].clone(), "no receipt".to_owned()];
    let left = queue.delete(&wrong).await.unwrap();
    assert!(left.iter().all(|(receipt, _)| receipt == "no receipt"), "{left:?}");
    assert!(queue.delete(&receipts[11..]).await.unwrap().is_empty());
    assert_eq!(queue.state().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn an_emulators_queue_is_reached_by_its_own_url() {
    let Some(account) = emulator::account(Duration::ZERO) else { return };
    client(&account).create_queue().queue_name("landfast").send().await.unwrap();
    let settings = Settings { credentials: Some(account.credentials()), ..Settings::default() };
    let cloud = AwsCloud::connect(settings).await;
    let url = format!("{}/{}/landfast", account.url, account.id);
    let queue = cloud.queue(&EventQueue { url, scope: account.scope("us-east-1") });
    assert_eq!(queue.state().await.unwrap().waiting, 0);
    let begun = Instant::now();
    assert_eq!(queue.receive(Duration::from_secs(1), HIDDEN).await.unwrap(), []);
    assert!(begun.elapsed() >= Duration::from_millis(900), "a call waits for a message");
    let url = format!("{}/{}/missing", account.url, account.id);
    let missing = cloud.queue(&EventQueue { url, scope: account.scope("us-east-1") });
    assert_eq!(missing.receive(NOW, HIDDEN).await.unwrap_err().class, Class::NotFound);
}
