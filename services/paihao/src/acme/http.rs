//! HTTP client for an authority.

use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::fmt::rfc2822;
use paihao_chassis::clock::Clock;
use reqwest::header::RETRY_AFTER;
use reqwest::{Body, Certificate, Client, StatusCode};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Client that remembers when the authority wants to be asked again. Clones share that.
#[derive(Clone)]
pub(super) struct AuthorityClient {
    client: Client,
    clock: Arc<dyn Clock>,
    /// Time in Unix milliseconds; 0 if it has named none.
    not_before_ms: Arc<AtomicI64>,
}

impl AuthorityClient {
    /// Makes the client. It trusts these certificates in PEM alone, or those of the machine.
    #[expect(
        clippy::disallowed_methods,
        reason = "the authority must not share a client with WeChat's tokens"
    )]
    pub(super) fn new(trusted: Option<&[u8]>, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        // reqwest uses the process's provider. Another crate may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("paihao/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT);
        if let Some(trusted) = trusted {
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(trusted)?);
        }
        Ok(AuthorityClient { client: builder.build()?, clock, not_before_ms: Arc::default() })
    }

    /// Forgets the time that the authority has named.
    pub(super) fn forget_wait(&self) {
        self.not_before_ms.store(0, Ordering::Relaxed);
    }

    /// Returns the time in Unix milliseconds before which the authority wants no further attempt.
    pub(super) fn not_before_ms(&self) -> Option<i64> {
        Some(self.not_before_ms.load(Ordering::Relaxed)).filter(|named| *named > 0)
    }

    async fn send(self, request: reqwest::Request) -> Result<BytesResponse, Error> {
        // The address has the account's number.
        let response = self.client.execute(request).await.map_err(reqwest::Error::without_url);
        let response = response.map_err(|error| Error::Other(Box::new(error)))?;
        if matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let named = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            if let Some(at_ms) = named.and_then(|text| retry_at_ms(text, self.clock.now_ms())) {
                self.not_before_ms.fetch_max(at_ms, Ordering::Relaxed);
            }
        }
        Ok(BytesResponse::from(http::Response::<Body>::from(response)))
    }
}

impl HttpClient for AuthorityClient {
    fn request(
        &self,
        request: http::Request<BodyWrapper<bytes::Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request.map(Body::wrap));
            client.send(request.map_err(|error| Error::Other(Box::new(error)))?).await
        })
    }
}

/// Reads a `Retry-After`: seconds, or a date.
fn retry_at_ms(text: &str, now_ms: i64) -> Option<i64> {
    match text.trim().parse::<u32>() {
        Ok(seconds) => Some(now_ms.saturating_add(i64::from(seconds) * 1000)),
        Err(_) => rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_both_forms() {
        assert_eq!(retry_at_ms("120", 1_000), Some(121_000));
        assert_eq!(retry_at_ms("Thu, 01 Jan 1970 00:02:01 GMT", 1_000), Some(121_000));
        assert_eq!(retry_at_ms("soon", 1_000), None);
    }
}
