//! Events, as EventBridge sends them to a queue: late, twice, in another order, or not at all, as the settings say.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::select;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::cloud::SimCloud;
use super::resource::STACK;
use super::spelling::uuid;
use super::world::World;
use crate::model::{Digest, Scope, SecretArn, ServiceArn, TableArn};
use crate::ports::{Class, MESSAGES_MAX, Message, PortError, Queue, QueueState};

/// A rule sends one so often.
const BEAT: SignedDuration = SignedDuration::from_mins(1);

/// A message that was received so often goes to the dead-letter queue.
const DEAD: u32 = 5;

/// What becomes of events on their way. Parts are of a hundred; which ones is the same in every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPath {
    /// How long each takes, and up to so much more.
    pub late: Duration,
    /// Those that are lost.
    pub lost: u8,
    /// Those that arrive twice, the second time minutes later.
    pub repeated: u8,
    /// Those that arrive minutes later: after others that happened later.
    pub delayed: u8,
    /// No heartbeats, and nothing else, from then until then.
    pub silent: Option<(Timestamp, Timestamp)>,
}

impl Default for EventPath {
    fn default() -> Self {
        Self { late: Duration::from_millis(500), lost: 0, repeated: 0, delayed: 0, silent: None }
    }
}

/// The queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Mail {
    letters: Vec<Letter>,
    dead: Vec<String>,
    /// Up to when heartbeats were sent.
    beaten: Option<Timestamp>,
}

/// A message in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Letter {
    body: String,
    receipt: String,
    sent: Timestamp,
    visible: Timestamp,
    received: u32,
}

impl World {
    /// A stack or a resource of one has come to another status (AWS: *CloudFormation event detail reference*).
    pub(super) fn announce_status(
        &mut self,
        ix: usize,
        resource: &str,
        kind: &str,
        physical: Option<&str>,
        status: &str,
    ) {
        if self.config.events.is_none() {
            return;
        }
        let stack = &self.data.stacks[ix];
        let (region, id, token) = (stack.region, stack.state.id.to_string(), stack.token.clone());
        let details = json!({ "status": status, "status-reason": "" });
        let (what, detail) = if kind == STACK && physical == Some(id.as_str()) {
            (
                "CloudFormation Stack Status Change",
                json!({ "stack-id": id, "status-details": details, "client-request-token": token }),
            )
        } else {
            let detail = json!({
                "stack-id": id, "logical-resource-id": resource, "physical-resource-id": physical,
                "status-details": details, "resource-type": kind, "client-request-token": token,
            });
            ("CloudFormation Resource Status Change", detail)
        };
        self.announce(region, "aws.cloudformation", what, &[id], &detail);
    }

    /// A call that CloudTrail has recorded (AWS: *CloudTrail record contents*).
    pub(super) fn announce_call(&mut self, region: usize, service: &str, call: &str, parameters: &Json) {
        if self.config.events.is_none() {
            return;
        }
        let Scope { account, region: name } = self.data.regions[region].scope.clone();
        let id = uuid(&["record", &self.serial().to_string()]);
        let who = if self.acting { "sts" } else { "iam" };
        let name_of = if self.acting { "assumed-role/landfast/landfast" } else { "user/console" };
        let actor = format!("arn:aws:{who}::{account}:{name_of}");
        let detail = json!({
            "eventVersion": "1.11", "eventID": id, "eventTime": self.data.now.to_string(), "eventName": call,
            "eventSource": format!("{service}.amazonaws.com"), "awsRegion": name.as_str(), "sourceIPAddress": "203.0.113.7",
            "userIdentity": { "type": "IAMUser", "arn": actor }, "requestParameters": parameters, "responseElements": null,
            "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": account.as_str(),
        });
        self.announce(region, &format!("aws.{service}"), "AWS API Call via CloudTrail", &[], &detail);
    }

    /// Somebody has changed a secret.
    pub(super) fn announce_secret(&mut self, region: usize, call: &str, secret: &SecretArn) {
        self.announce_call(region, "secretsmanager", call, &json!({ "secretId": secret.as_str() }));
    }

    /// A service is at another point of its deployment (AWS: *Amazon ECS service deployment state change events*).
    pub(super) fn announce_service(&mut self, region: usize, service: &ServiceArn) {
        let detail = json!({ "eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS" });
        self.announce(region, "aws.ecs", "ECS Deployment State Change", &[service.to_string()], &detail);
    }

    /// An image was pushed (AWS: *Amazon ECR events and EventBridge*).
    pub(super) fn announce_push(&mut self, region: usize, repository: &str, digest: &str, tag: Option<&str>) {
        let detail = json!({
            "action-type": "PUSH", "result": "SUCCESS", "repository-name": repository, "image-digest": digest,
            "image-tag": tag.unwrap_or_default(),
        });
        self.announce(region, "aws.ecr", "ECR Image Action", &[], &detail);
    }

    /// A job of AWS Backup is over (AWS: *Monitoring AWS Backup events using Amazon EventBridge*).
    pub(super) fn announce_job(&mut self, region: usize, what: &str, table: &TableArn, state: &str) {
        let detail = json!({ "state": state, "resourceArn": table.as_str(), "resourceType": "DynamoDB" });
        self.announce(region, "aws.backup", what, &[], &detail);
    }

    /// Something has happened.
    pub(super) fn announce(&mut self, region: usize, source: &str, what: &str, resources: &[String], detail: &Json) {
        let Some(path) = self.config.events.clone() else { return };
        let now = self.data.now;
        let scope = self.data.regions[region].scope.clone();
        let id = uuid(&["event", &self.serial().to_string()]);
        if path.silent.is_some_and(|(from, until)| now >= from && now < until) {
            return;
        }
        let envelope = json!({
            "version": "0", "id": id, "detail-type": what, "source": source, "account": scope.account.as_str(),
            "time": now.to_string(), "region": scope.region.as_str(), "resources": resources, "detail": detail,
        });
        // The same in every run, and another one for each event.
        let dice = Digest::of(&id);
        let dice = |at: usize| u64::from_str_radix(dice.as_str().get(at..at + 4).unwrap_or("0"), 16).unwrap_or(0);
        let part = |at: usize, of: u8| dice(at) % 100 < u64::from(of);
        if part(0, path.lost) {
            return;
        }
        let takes =
            path.late.saturating_add(path.late.mul_f64(f64::from(u32::try_from(dice(4)).unwrap_or(0)) / 65_536.0));
        let minutes = Duration::from_secs(30 + dice(8) % 120);
        let late = if part(12, path.delayed) { takes.saturating_add(minutes) } else { takes };
        let again = part(16, path.repeated).then(|| late.saturating_add(minutes));
        for after in [Some(late), again].into_iter().flatten() {
            let receipt = uuid(&["receipt", &self.serial().to_string()]);
            let visible = now.saturating_add(after).unwrap_or(Timestamp::MAX);
            let letter = Letter { body: envelope.to_string(), receipt, sent: visible, visible, received: 0 };
            self.data.mail.letters.push(letter);
        }
        self.posted.notify_waiters();
    }

    /// Sends the heartbeats that were due.
    fn beat(&mut self) {
        let now = self.data.now;
        let from = *self.data.mail.beaten.get_or_insert(now);
        // Whoever was away for hours missed what the queue did not keep.
        let from = from.max(now.saturating_sub(BEAT).unwrap_or(now));
        if now.duration_since(from) < BEAT {
            return;
        }
        self.data.mail.beaten = Some(now);
        for region in 0..self.data.regions.len() {
            let Scope { account, region: name } = self.data.regions[region].scope.clone();
            let rule = format!("arn:aws:events:{name}:{account}:rule/landfast-heartbeat");
            self.announce(region, "aws.events", "Scheduled Event", &[rule], &json!({}));
        }
    }

    /// How long there is nothing new, unless somebody does something.
    fn next_news(&self) -> Duration {
        let now = self.data.now;
        let visible = self.data.mail.letters.iter().map(|letter| letter.visible);
        let beat = self.data.mail.beaten.and_then(|at| at.checked_add(BEAT).ok());
        let due = self.data.agenda.keys().next().map(|(at, _)| *at);
        let next = visible.chain(beat).chain(due).filter(|at| *at > now).min();
        let left = next.map_or(Duration::MAX, |at| at.duration_since(now).unsigned_abs());
        // Whatever is due is done by the time it is looked at.
        left.saturating_add(Duration::from_millis(1))
    }

    fn receive(&mut self, hidden: Duration) -> Vec<Message> {
        self.beat();
        let now = self.data.now;
        let mail = &mut self.data.mail;
        let (dead, letters): (Vec<Letter>, Vec<Letter>) = std::mem::take(&mut mail.letters)
            .into_iter()
            .partition(|letter| letter.received >= DEAD && letter.visible <= now);
        mail.letters = letters;
        mail.dead.extend(dead.into_iter().map(|letter| letter.body));
        let due = mail.letters.iter_mut().filter(|letter| letter.visible <= now).take(MESSAGES_MAX);
        due.map(|letter| {
            letter.visible = now.saturating_add(hidden).unwrap_or(Timestamp::MAX);
            letter.received += 1;
            Message {
                body: letter.body.clone(),
                receipt: letter.receipt.clone(),
                sent: Some(letter.sent),
                received: letter.received,
            }
        })
        .collect()
    }
}

/// The queue's end at which it is received.
pub(super) struct SimQueue(pub(super) SimCloud);

#[async_trait]
impl Queue for SimQueue {
    async fn receive(&self, wait: Duration, hidden: Duration) -> Result<Vec<Message>, PortError> {
        let until = self.0.elapsed().saturating_add(wait);
        loop {
            let posted = Arc::clone(&self.0.lock().posted);
            let mut news = std::pin::pin!(posted.notified());
            news.as_mut().enable();
            let (messages, next) = {
                let mut world = self.0.lock();
                (world.receive(hidden), world.next_news())
            };
            let left = until.saturating_sub(self.0.elapsed());
            if !messages.is_empty() || left.is_zero() {
                return Ok(messages);
            }
            select(news, std::pin::pin!(self.0.pass(next.min(left)))).await;
        }
    }

    async fn delete(&self, receipts: &[String]) -> Result<Vec<(String, PortError)>, PortError> {
        if receipts.is_empty() || receipts.len() > MESSAGES_MAX {
            return Err(PortError::new(Class::Invalid, "DeleteMessageBatch", "1 to 10 entries are allowed"));
        }
        self.0.lock().data.mail.letters.retain(|letter| !receipts.contains(&letter.receipt));
        Ok(Vec::new())
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        let waiting = u64::try_from(self.0.lock().data.mail.letters.len()).unwrap_or(u64::MAX);
        Ok(QueueState {
            arn: "arn:aws:sqs:us-east-1:111122223333:landfast-events".to_owned(),
            waiting,
            kms_key: Some("arn:aws:kms:us-east-1:111122223333:key/landfast-events".to_owned()),
            dead_letter: Some(("arn:aws:sqs:us-east-1:111122223333:landfast-events-dead".to_owned(), DEAD)),
            keeps: Duration::from_hours(24),
        })
    }
}

impl SimCloud {
    /// The queue that events arrive in, where the settings have a path for them.
    #[must_use]
    pub fn queue(&self) -> Arc<dyn Queue> {
        Arc::new(SimQueue(self.clone()))
    }

    /// Puts any text into the queue.
    pub fn post(&self, body: &str) {
        let mut world = self.lock();
        let receipt = uuid(&["receipt", &world.serial().to_string()]);
        let now = world.data.now;
        let letter = Letter { body: body.to_owned(), receipt, sent: now, visible: now, received: 0 };
        world.data.mail.letters.push(letter);
        world.posted.notify_waiters();
    }

    /// What has gone to the dead-letter queue.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<String> {
        self.lock().data.mail.dead.clone()
    }
}
