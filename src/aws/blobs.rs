//! What lies behind a signed address of S3: the SDK has no request for it.
//!
//! It goes through the same HTTP client as everything else, with the same timeouts and without credentials: the address
//! is one, and is in no error.

use std::fmt;

use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::error::{unanswered, unreadable};
use crate::model::{Digest, ImageDigest};
use crate::ports::{Class, PortError};

/// As much as is read of a blob, in bytes. The configurations of real images have some ten thousand.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Downloads blobs.
pub(super) struct Blobs {
    config: SdkConfig,
}

/// An answer whose body has not been read.
#[derive(Debug)]
struct Opened {
    status: u16,
    body: SdkBody,
}

/// Takes any answer as it is.
#[derive(Debug)]
struct AsItIs;

impl DeserializeResponse for AsItIs {
    fn deserialize_streaming(&self, response: &mut HttpResponse) -> Option<Result<Output, OrchestratorError<Error>>> {
        let opened = Opened { status: response.status().as_u16(), body: response.take_body() };
        Some(Ok(Output::erase(opened)))
    }

    fn deserialize_nonstreaming(&self, _response: &HttpResponse) -> Result<Output, OrchestratorError<Error>> {
        Err(OrchestratorError::other("the response was expected as a stream"))
    }
}

impl Blobs {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone() }
    }

    /// The blob with this digest. `operation` is what gave the address.
    pub(super) async fn get(
        &self,
        operation: &'static str,
        address: &str,
        digest: &ImageDigest,
    ) -> Result<Vec<u8>, PortError> {
        let host = address.find("://").map_or(0, |at| at + 3);
        let slash = address.get(host..).and_then(|rest| rest.find('/')).map_or(address.len(), |at| host + at);
        let (server, path) = address.split_at(slash);
        let mut request = Operation::builder()
            .service_name("s3")
            .operation_name(operation)
            .endpoint_url(server)
            .no_auth()
            .no_retry()
            .serializer(|path: Path| {
                let mut request = HttpRequest::empty();
                request.set_uri(path.0)?;
                Ok(request)
            })
            .deserializer_impl::<Opened, std::convert::Infallible>(AsItIs);
        if let Some(client) = self.config.http_client() {
            request = request.http_client(client);
        }
        if let Some(timeouts) = self.config.timeout_config() {
            request = request.timeout_config(timeouts.clone());
        }
        if let Some(sleep) = self.config.sleep_impl() {
            request = request.sleep_impl(sleep);
        }
        let answer = request.build().invoke(Path(path.to_owned())).await.map_err(|error| {
            let (class, message) = unanswered(&error, None);
            PortError::new(class, operation, format!("the download failed: {message}"))
        })?;
        let class = match answer.status {
            200 => return body(operation, answer.body, digest).await,
            403 => Class::Denied,
            404 => Class::NotFound,
            429 | 503 => Class::Throttled,
            400..=499 => Class::Invalid,
            _ => Class::Transient,
        };
        Err(PortError::new(class, operation, format!("the download returned {}", answer.status)))
    }
}

async fn body(operation: &'static str, body: SdkBody, digest: &ImageDigest) -> Result<Vec<u8>, PortError> {
    let mut stream = ByteStream::new(body);
    let mut read = Vec::new();
    while let Some(chunk) = stream.next().await {
        read.extend_from_slice(&chunk.map_err(|_| unreadable(operation, "the download was interrupted"))?);
        if read.len() > BYTES_MAX {
            let message = format!("the configuration is larger than {BYTES_MAX} bytes and is not read");
            return Err(PortError::new(Class::Invalid, operation, message));
        }
    }
    if digest.as_str().strip_prefix("sha256:") != Some(Digest::of_bytes(&read).as_str()) {
        return Err(unreadable(operation, "the digest of the download does not match"));
    }
    Ok(read)
}

/// Path and signature of an address: not to be shown, whoever prints a request.
struct Path(String);

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<signed>")
    }
}
