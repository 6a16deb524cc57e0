//! What networks and busy services do, between the SDK and whatever answers it.
//!
//! A rule names an API operation and which of its calls it strikes. Everything else passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Refused for being one too many; nothing is done.
    Throttled,
    /// The service fails before it does anything.
    Unavailable,
    /// It is done, and the connection breaks before the answer arrives.
    AnswerLost,
    /// It is done late.
    Late(Duration),
}

#[derive(Clone, Debug)]
struct Rule {
    operation: &'static str,
    /// Which calls of the operation, counted from 1.
    calls: std::ops::RangeInclusive<u32>,
    fault: Fault,
}

/// An HTTP client with faults. Clones share rules and counts.
#[derive(Clone, Debug)]
pub struct Faults {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    calls: BTreeMap<String, u32>,
}

impl Faults {
    /// No faults yet, over plain HTTP.
    pub fn none() -> Self {
        Self { inner: Builder::new().build_http(), state: Arc::default() }
    }

    /// Strikes these calls of an operation, counted from 1.
    pub fn on(self, operation: &'static str, calls: std::ops::RangeInclusive<u32>, fault: Fault) -> Self {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rules.push(Rule { operation, calls, fault });
        self
    }

    /// Calls of an operation so far, struck or not.
    pub fn calls(&self, operation: &str) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).calls.get(operation).copied().unwrap_or(0)
    }

    /// As the SDK takes it.
    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Counts the call and says what happens to it.
    fn strike(&self, request: &HttpRequest) -> Option<Fault> {
        let operation = operation(request);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = state.calls.entry(operation.clone()).or_insert(0);
        *count += 1;
        let count = *count;
        let rule = state.rules.iter().find(|rule| rule.operation == operation && rule.calls.contains(&count));
        rule.map(|rule| rule.fault.clone())
    }
}

/// The API operation: a form field in the query protocol, a header in the JSON ones, else method and path (S3).
fn operation(request: &HttpRequest) -> String {
    if let Some((_, target)) = request.headers().get("x-amz-target").and_then(|target| target.rsplit_once('.')) {
        return target.to_owned();
    }
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
    let action = body.split('&').find_map(|field| field.strip_prefix("Action="));
    action.map_or_else(|| format!("{} {}", request.method(), request.uri()), str::to_owned)
}

impl HttpClient for Faults {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Faulty { inner, faults: self.clone() })
    }
}

#[derive(Debug)]
struct Faulty {
    inner: SharedHttpConnector,
    faults: Faults,
}

impl HttpConnector for Faulty {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.faults.strike(&request) {
            None => self.inner.call(request),
            Some(Fault::Throttled) => HttpConnectorFuture::ready(Ok(refusal(400, "Throttling", "Rate exceeded"))),
            Some(Fault::Unavailable) => HttpConnectorFuture::ready(Ok(refusal(503, "ServiceUnavailable", "later"))),
            Some(Fault::AnswerLost) => {
                let sent = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    sent.await?;
                    Err(ConnectorError::io("the connection broke".into()))
                })
            }
            Some(Fault::Late(delay)) => {
                let inner = self.inner.clone();
                HttpConnectorFuture::new(async move {
                    tokio::time::sleep(delay).await;
                    inner.call(request).await
                })
            }
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> HttpResponse {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>none</RequestId></ErrorResponse>"
    );
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
}
