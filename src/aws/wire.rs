//! The other end of the wire, for tests: answers from a list, and what was sent.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use super::{AwsCloud, Settings};
use crate::model::{AssumeRole, Scope};
use crate::ports::{Cloud as _, Fence, Stacks};

/// One answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// A status and a body.
    Http(u16, String),
    /// The same with headers.
    Headed(u16, &'static [(&'static str, &'static str)], String),
    /// This, in CBOR (Smithy: *RPC v2 CBOR protocol*).
    Cbor(Vec<u8>),
    /// The connection breaks.
    Broken,
}

/// A successful answer of the query protocol.
pub(super) fn result(operation: &str, inner: &str) -> Answer {
    let space = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
    Answer::Http(
        200,
        format!(
            "<{operation}Response xmlns=\"{space}\"><{operation}Result>{inner}</{operation}Result></{operation}Response>"
        ),
    )
}

/// A refusal of the query protocol.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::Http(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>req-1</RequestId></ErrorResponse>"
        ),
    )
}

/// What was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) uri: String,
    pub(super) agent: String,
    pub(super) body: String,
    /// The account that a bucket has to belong to.
    pub(super) owner: String,
}

impl Sent {
    /// The fields of a form, one in a line, in the order in which they were sent.
    pub(super) fn form(&self) -> String {
        let mut text = String::new();
        for field in self.body.split('&') {
            writeln!(text, "{}", decoded(field)).unwrap();
        }
        text
    }
}

fn decoded(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The far end.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        self.sent.lock().unwrap().push(Sent {
            uri: request.uri().to_owned(),
            agent: request.headers().get("user-agent").unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            owner: request.headers().get("x-amz-expected-bucket-owner").unwrap_or_default().to_owned(),
        });
        match self.answers.lock().unwrap().pop_front() {
            Some(Answer::Http(status, body)) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                response.headers_mut().insert("x-amzn-requestid", "req-1");
                HttpConnectorFuture::ready(Ok(response))
            }
            Some(Answer::Headed(status, headers, body)) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                for (name, value) in headers {
                    response.headers_mut().insert(*name, *value);
                }
                HttpConnectorFuture::ready(Ok(response))
            }
            Some(Answer::Cbor(body)) => {
                let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
                response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
                response.headers_mut().insert("content-type", "application/cbor");
                HttpConnectorFuture::ready(Ok(response))
            }
            Some(Answer::Broken) => {
                HttpConnectorFuture::ready(Err(ConnectorError::io("connection reset by peer".into())))
            }
            None => panic!("an unexpected request: {:?}", self.sent.lock().unwrap().last()),
        }
    }
}

impl Wire {
    /// A far end that gives these answers, in this order.
    pub(super) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), sent: Arc::default() }
    }

    /// A cloud whose every call goes here.
    pub(super) async fn cloud(&self, endpoint_url: Option<&str>) -> AwsCloud {
        let connector = SharedHttpConnector::new(self.clone());
        let client: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
        AwsCloud::connect(Settings {
            endpoint_url: endpoint_url.map(str::to_owned),
            credentials: Some(SharedCredentialsProvider::new(Credentials::for_tests())),
            region: Some("us-east-1".parse().unwrap()),
            http_client: Some(client),
            ..Settings::default()
        })
        .await
    }

    /// A door whose every call goes here.
    pub(super) async fn stacks(&self) -> Arc<dyn Stacks> {
        self.cloud(None).await.stacks(&scope(), None)
    }

    /// What was sent so far.
    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

pub(super) fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "eu-central-1".parse().unwrap() }
}

pub(super) fn role() -> AssumeRole {
    AssumeRole {
        arn: "arn:aws:iam::111122223333:role/landfast".parse().unwrap(),
        external_id: Some("outside".to_owned()),
        session_name: "landfast-dev".to_owned(),
    }
}

pub(super) const FENCE: Fence = Fence { epoch: 1, revision: 1 };
