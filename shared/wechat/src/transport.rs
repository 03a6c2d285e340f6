//! Transport of requests to WeChat: HTTP, or what a simulation puts in its place.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Request, StatusCode};
use std::error::Error;

/// Largest response that is read: pictures are some 30 KiB, JSON far less.
const MAX_RESPONSE_BYTES: usize = 2 << 20;

/// Carrier of one request and its response.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request, within its timeout, and returns the whole response.
    async fn exchange(&self, request: Request) -> Result<TransportResponse, TransportError>;
}

/// Response to a request.
#[derive(Debug, Clone)]
pub struct TransportResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Failure of an exchange. It quotes no address, since addresses hold tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// No connection: the request was not sent, for this reason.
    Unreachable(String),
    /// No response in time. The request may have taken effect.
    TimedOut,
    /// No whole response, for this reason. The request may have taken effect.
    Broken(&'static str),
}

/// Transport over one pool of HTTP connections.
pub(crate) struct HttpTransport(pub(crate) reqwest::Client);

#[async_trait]
impl Transport for HttpTransport {
    async fn exchange(&self, request: Request) -> Result<TransportResponse, TransportError> {
        let mut response = self.0.execute(request).await.map_err(transport_error)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(TransportError::Broken("longer than any answer"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(TransportResponse { status, headers, body: body.freeze() })
    }
}

/// Converts an error of reqwest's, which prints addresses, into ours, which does not.
fn transport_error(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() {
        TransportError::Unreachable(root_cause(&error))
    } else if error.is_timeout() {
        TransportError::TimedOut
    } else {
        TransportError::Broken("the connection broke before the answer was complete")
    }
}

/// Last message in an error's chain: the cause; the others only name the failed operation.
pub(crate) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
