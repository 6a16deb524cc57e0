//! Receives events, hands them to the tenders, and says where they have stopped coming.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::Controller;
use crate::events;
use crate::model::Scope;
use crate::ports::{Message, Queue};

/// How long one call waits for a message: as long as SQS lets it.
const WAIT: Duration = Duration::from_secs(20);

/// How long a message is hidden from other receivers before it is deleted.
const HIDDEN: Duration = Duration::from_mins(1);

/// How long to wait after an error, at first and at most.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_mins(1);

/// What a receiver has said already.
#[derive(Default)]
struct Receiver {
    heard: BTreeSet<Scope>,
    failed: u32,
    unreadable: u64,
}

/// Receives events for as long as it is polled. A message is deleted once it was handed on. What is not an event is left
/// where it is: the queue takes it to the dead letters.
pub async fn receive(controller: &Controller, queue: &dyn Queue) -> Infallible {
    let mut receiver = Receiver::default();
    loop {
        match queue.receive(WAIT, HIDDEN).await {
            Ok(messages) => {
                receiver.works();
                let receipts = receiver.hand_on(controller, messages);
                delete(queue, receipts).await;
            }
            Err(why) => {
                if receiver.failed == 0 {
                    warn!(%why, "events cannot be received");
                }
                let again = AGAIN_MIN.saturating_mul(2_u32.saturating_pow(receiver.failed)).min(AGAIN);
                receiver.failed = receiver.failed.saturating_add(1);
                controller.cx.sleep(again).await;
            }
        }
        receiver.tell_silence(controller);
    }
}

impl Receiver {
    fn works(&mut self) {
        if std::mem::take(&mut self.failed) > 0 {
            info!("events can be received again");
        }
    }

    /// Hands messages to the tenders. Says which are done with.
    fn hand_on(&mut self, controller: &Controller, messages: Vec<Message>) -> Vec<String> {
        let mut done = Vec::new();
        for message in messages {
            match events::read(&message.body) {
                Ok(signal) => {
                    let (now, elapsed) = (controller.cx.now(), controller.cx.elapsed());
                    controller.signals.deliver(signal, now, elapsed);
                    done.push(message.receipt);
                }
                // It arrives a few times before it goes to the dead letters: said once.
                Err(why) if message.received <= 1 => {
                    self.unreadable = self.unreadable.saturating_add(1);
                    warn!(%why, unreadable = self.unreadable, "a message in the queue is not an event and is left in it");
                }
                Err(_) => {}
            }
        }
        done
    }

    /// Says of which accounts and regions events have begun or stopped to arrive, and tells the tenders.
    fn tell_silence(&mut self, controller: &Controller) {
        let heard = controller.signals.heard(controller.cx.elapsed());
        for scope in heard.difference(&self.heard) {
            info!(%scope, "events arrive; polling is reduced");
        }
        for scope in self.heard.difference(&heard) {
            warn!(%scope, "events have stopped arriving; polling as often as without them");
        }
        if heard != self.heard {
            controller.signals.rouse();
        }
        self.heard = heard;
    }
}

/// Deletes messages. One that stays arrives again, and is known then.
async fn delete(queue: &dyn Queue, receipts: Vec<String>) {
    if receipts.is_empty() {
        return;
    }
    match queue.delete(&receipts).await {
        Ok(failed) => {
            for (_, why) in failed {
                debug!(%why, "a message could not be deleted and arrives again");
            }
        }
        Err(why) => debug!(%why, "messages could not be deleted and arrive again"),
    }
}
