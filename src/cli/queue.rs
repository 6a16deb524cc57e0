//! Whether events can be received from the queue that the operator names: asked by trying it.
//!
//! No simulation of policies is as good as a call. So a preflight receives, and what it receives is visible again at once;
//! and it deletes a message that there is none of, which AWS answers with a failed entry to whoever may delete.

use std::time::Duration;

use super::session::Session;
use crate::context::Context;
use crate::model::Unknown;
use crate::plan::preflight::{QueueAnswers, Tried, judge_queue};
use crate::ports::{Class, PortError, Queue};
use crate::report::QueuePreflight;

/// How long one call may take.
const WITHIN: Duration = Duration::from_mins(1);

/// What no message has.
const NO_RECEIPT: &str = "landfast-preflight";

/// How the prerequisites of the queue stand; none where the operator names none.
pub(super) async fn preflight(session: &Session) -> Option<QueuePreflight> {
    let (about, queue) = (session.operator.events()?, session.queue()?);
    let answers = ask(&session.cx, queue.as_ref()).await;
    Some(QueuePreflight::of(about, judge_queue(about, &answers)))
}

async fn ask(cx: &Context, queue: &dyn Queue) -> QueueAnswers {
    let state = match within(cx, queue.state()).await {
        Ok(state) => Ok(Some(state)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(tried(&error)),
    };
    let receive = within(cx, queue.receive(Duration::ZERO, Duration::ZERO))
        .await
        .map_or_else(|error| tried(&error), |_| Tried::Allowed);
    let delete = match within(cx, queue.delete(&[NO_RECEIPT.to_owned()])).await {
        Ok(left) => match left.iter().find(|(_, error)| error.class == Class::Denied) {
            Some((_, error)) => tried(error),
            None => Tried::Allowed,
        },
        // Whoever may not delete is told that first.
        Err(error) if error.class == Class::Invalid => Tried::Allowed,
        Err(error) => tried(&error),
    };
    QueueAnswers { state, receive, delete }
}

async fn within<T>(cx: &Context, call: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
    let late =
        || PortError::new(Class::Transient, "SQS", format!("no answer within {}", humantime::format_duration(WITHIN)));
    cx.timeout(WITHIN, call).await.unwrap_or_else(|| Err(late()))
}

fn tried(error: &PortError) -> Tried {
    match error.class {
        Class::Denied => Tried::Denied(error.to_string()),
        _ => Tried::Unknown(Unknown::because(error)),
    }
}
