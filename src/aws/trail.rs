//! `ports::Trail` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use crate::events::Caller;
use crate::model::Deed;
use crate::ports::{Page, PageToken, PortError, Trail};

const OPERATION: &str = "LookupEvents";

/// As many as one answer can hold (AWS: *`LookupEvents`*, `MaxResults`).
const PAGE: i32 = 50;

/// One account in one region.
pub(super) struct Client {
    trail: aws_sdk_cloudtrail::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { trail: aws_sdk_cloudtrail::Client::new(config) }
    }
}

#[async_trait]
impl Trail for Client {
    async fn deeds(&self, resource: &str, since: Timestamp, page: Option<PageToken>) -> Result<Page<Deed>, PortError> {
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(resource)
            .build()
            .map_err(|error| unreadable(OPERATION, &error.to_string()))?;
        let call = self.trail.lookup_events().lookup_attributes(attribute).max_results(PAGE);
        let call = call.start_time(DateTime::from_secs(since.as_second())).set_next_token(page);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let events = answer.events.unwrap_or_default().into_iter();
        let items = events.map(deed).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }
}

fn deed(event: Event) -> Result<Deed, PortError> {
    let read = Reader(OPERATION);
    let caller = event.cloud_trail_event.as_deref().map(Caller::parse).unwrap_or_default();
    Ok(Deed {
        id: read.need(event.event_id, "EventId")?,
        at: read.time(read.need(event.event_time.as_ref(), "EventTime")?)?,
        actor: caller.actor(event.username),
        from: caller.from(),
        call: read.need(event.event_name, "EventName")?,
        reads: event.read_only.as_deref() == Some("true"),
    })
}
