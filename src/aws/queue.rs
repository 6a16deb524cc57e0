//! `ports::Queue` over the SDK: one method, one request.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use jiff::Timestamp;
use serde_json::Value;

use super::answer::Reader;
use super::error::{classify_entry, port_error, unreadable};
use crate::model::EventQueue;
use crate::ports::{Class, MESSAGES_MAX, Message, PortError, Queue, QueueState};

/// The longest time that a call waits for a message (AWS: *`ReceiveMessage`*, `WaitTimeSeconds`).
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What an answer may take beyond that, and any other call. With it a call that waits as long as it may is not given up
/// while it waits.
const CEILING: Duration = Duration::from_secs(40);

/// The longest time for which a message is hidden (AWS: *`ReceiveMessage`*, `VisibilityTimeout`).
const HIDDEN_MAX: Duration = Duration::from_hours(12);

/// The queue, with the credentials of this process: it belongs to whoever runs Landfast and to none of the environments.
pub(super) struct Client {
    queue: aws_sdk_sqs::Client,
    url: String,
}

impl Client {
    pub(super) fn new(config: &SdkConfig, queue: &EventQueue) -> Self {
        let region = aws_sdk_sqs::config::Region::new(queue.scope.region.as_str().to_owned());
        let timeouts =
            config.timeout_config().cloned().unwrap_or_else(|| aws_config::timeout::TimeoutConfig::builder().build());
        let mut settings = aws_sdk_sqs::config::Builder::from(config)
            .region(region)
            // While a call waits for a message nothing is sent for 20 s, which is what this takes for a broken connection.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts.to_builder().operation_timeout(WAIT_MAX + CEILING).build());
        // A queue of an emulator says itself where the emulator is. Any other is reached as its region is.
        if config.endpoint_url().is_none()
            && let Some(origin) = emulator(&queue.url)
        {
            settings = settings.endpoint_url(origin);
        }
        Self { queue: aws_sdk_sqs::Client::from_conf(settings.build()), url: queue.url.clone() }
    }
}

/// Where an emulator listens, if that is what the URL of a queue names: no queue of AWS is reached without TLS.
fn emulator(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://")?;
    let length = url.len() - rest.len() + rest.find('/').unwrap_or(rest.len());
    url.get(..length)
}

#[async_trait]
impl Queue for Client {
    async fn receive(&self, wait: Duration, hidden: Duration) -> Result<Vec<Message>, PortError> {
        const OPERATION: &str = "ReceiveMessage";
        let call = self.queue.receive_message().queue_url(&self.url).max_number_of_messages(count(MESSAGES_MAX));
        let call =
            call.wait_time_seconds(seconds(wait.min(WAIT_MAX))).visibility_timeout(seconds(hidden.min(HIDDEN_MAX)));
        let call = call
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        answer.messages.unwrap_or_default().into_iter().map(message).collect()
    }

    async fn delete(&self, receipts: &[String]) -> Result<Vec<(String, PortError)>, PortError> {
        const OPERATION: &str = "DeleteMessageBatch";
        // An empty batch is refused, and nothing is what is left of it.
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        if receipts.len() > MESSAGES_MAX {
            let message = format!("{} messages are more than one call deletes ({MESSAGES_MAX})", receipts.len());
            return Err(PortError::new(Class::Invalid, OPERATION, message));
        }
        let entry = |(at, receipt): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(receipt).build()
        };
        let entries: Result<Vec<_>, _> = receipts.iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|error| unreadable(OPERATION, &error.to_string()))?;
        let call = self.queue.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        // "You should check for batch errors even when the call returns an HTTP status code of 200" (AWS: *`DeleteMessageBatch`*).
        let mut failed: BTreeMap<&str, &BatchResultErrorEntry> = BTreeMap::new();
        failed.extend(answer.failed.iter().map(|entry| (entry.id.as_str(), entry)));
        let left = receipts.iter().enumerate().filter_map(|(at, receipt)| {
            let id = at.to_string();
            let error = match failed.get(id.as_str()) {
                Some(entry) => refused(OPERATION, entry),
                None if answer.successful.iter().any(|entry| entry.id == id) => return None,
                None => unreadable(OPERATION, "a message of the batch is not mentioned"),
            };
            Some((receipt.clone(), error))
        });
        Ok(left.collect())
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        const OPERATION: &str = "GetQueueAttributes";
        let read = Reader(OPERATION);
        let names = [
            QueueAttributeName::QueueArn,
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::KmsMasterKeyId,
            QueueAttributeName::RedrivePolicy,
            QueueAttributeName::MessageRetentionPeriod,
        ];
        let call = self.queue.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(names.into()));
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let all = answer.attributes.unwrap_or_default();
        let text = |name: &QueueAttributeName| all.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let number = |name: &QueueAttributeName| {
            let text = read.need(text(name), name.as_str())?;
            text.parse::<u64>().map_err(|_| unreadable(OPERATION, &format!("{} {text}", name.as_str())))
        };
        Ok(QueueState {
            arn: read.need(text(&QueueAttributeName::QueueArn), "QueueArn")?.to_owned(),
            waiting: number(&QueueAttributeName::ApproximateNumberOfMessages)?,
            kms_key: text(&QueueAttributeName::KmsMasterKeyId).map(str::to_owned),
            dead_letter: text(&QueueAttributeName::RedrivePolicy).map(redrive).transpose()?,
            keeps: Duration::from_secs(number(&QueueAttributeName::MessageRetentionPeriod)?),
        })
    }
}

fn message(message: aws_sdk_sqs::types::Message) -> Result<Message, PortError> {
    let read = Reader("ReceiveMessage");
    let said = message.attributes.unwrap_or_default();
    // Milliseconds since the epoch (AWS: *`ReceiveMessage`*, `SentTimestamp`).
    let sent = said.get(&MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
    let received = said.get(&MessageSystemAttributeName::ApproximateReceiveCount).and_then(|text| text.parse().ok());
    Ok(Message {
        // A message without a body is one that cannot be read, and has to be deleted all the same.
        body: message.body.unwrap_or_default(),
        receipt: read.need(message.receipt_handle, "ReceiptHandle")?,
        sent: sent.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok()),
        received: received.unwrap_or(1),
    })
}

/// Why one message of a batch was not deleted.
fn refused(operation: &'static str, entry: &BatchResultErrorEntry) -> PortError {
    let message = entry.message.clone().unwrap_or_else(|| "refused without a reason".to_owned());
    let class = classify_entry(&entry.code, &message, entry.sender_fault);
    PortError { code: Some(entry.code.clone()), ..PortError::new(class, operation, message) }
}

/// Where messages go that nobody deletes, and after how many times (AWS: *`SetQueueAttributes`*, `RedrivePolicy`, which has the
/// number as text or as a number).
fn redrive(text: &str) -> Result<(String, u32), PortError> {
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    let times = &policy["maxReceiveCount"];
    let times = times.as_u64().or_else(|| times.as_str()?.parse().ok()).and_then(|times| u32::try_from(times).ok());
    let target = policy["deadLetterTargetArn"].as_str().map(str::to_owned);
    target.zip(times).ok_or_else(|| unreadable("GetQueueAttributes", &format!("RedrivePolicy {text}")))
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

fn count(messages: usize) -> i32 {
    i32::try_from(messages).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_emulator_says_where_it_is() {
        assert_eq!(emulator("http://127.0.0.1:4566/111122223333/landfast"), Some("http://127.0.0.1:4566"));
        assert_eq!(emulator("http://127.0.0.1:4566"), Some("http://127.0.0.1:4566"));
        assert_eq!(emulator("https://sqs.us-east-1.amazonaws.com/111122223333/landfast"), None);
    }

    #[test]
    fn a_call_may_wait_as_long_as_it_says() {
        let config = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        let scope = crate::aws::wire::scope();
        let client = Client::new(&config, &EventQueue { url: String::new(), scope });
        let timeouts = client.queue.config().timeout_config().cloned().unwrap();
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_mins(1)));
        assert_eq!((timeouts.read_timeout(), timeouts.operation_attempt_timeout()), (None, None));
    }
}
