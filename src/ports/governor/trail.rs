//! The governed door to [`Trail`].

use async_trait::async_trait;
use jiff::Timestamp;

use super::api;
use super::door::Door;
use crate::model::Deed;
use crate::ports::{Page, PageToken, PortError, Trail};

#[async_trait]
impl Trail for Door<dyn Trail> {
    async fn deeds(&self, resource: &str, since: Timestamp, page: Option<PageToken>) -> Result<Page<Deed>, PortError> {
        self.read(&api::LOOKUP_EVENTS, || self.inner.deeds(resource, since, page.clone())).await
    }
}
