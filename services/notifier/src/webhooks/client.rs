//! HTTPS client for webhooks: posts one message to the configured URL, without redirects or
//! proxies, and to no private network that is not named.

use paihao_wechat::private_targets::PrivateTargets;
use reqwest::dns::Resolve;
use reqwest::{Url, header, redirect};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the response status, shorter than the queue's ack-wait.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The client could not be built, most likely because the system has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error(
    "the webhooks' HTTPS client cannot be built (are the system's CA certificates installed?): {0}"
)]
pub struct BuildError(String);

/// Failure of a post.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PostError {
    /// Status of the answer; `None` without one.
    pub(super) status: Option<u16>,
    /// Reason, without the URL.
    pub(super) reason: String,
}

impl PostError {
    /// Failure without an answer.
    pub(super) fn unanswered(reason: impl Into<String>) -> PostError {
        PostError { status: None, reason: reason.into() }
    }
}

#[derive(Clone)]
pub(super) struct Client {
    private_targets: PrivateTargets,
    plain: reqwest::Client,
    tls: reqwest::Client,
}

impl Client {
    /// Creates a client that also reaches these private networks.
    pub(super) fn new(private_targets: &PrivateTargets) -> Result<Client, BuildError> {
        Ok(Client {
            plain: Client::build(private_targets.resolver(true))?,
            tls: Client::build(private_targets.resolver(false))?,
            private_targets: private_targets.clone(),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "webhooks go to hosts of the owner's, and must not share a client with WeChat's tokens"
    )]
    fn build(resolver: impl Resolve + 'static) -> Result<reqwest::Client, BuildError> {
        // reqwest uses the process's provider. Another crate may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("paihao/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(8)
            .dns_resolver(Arc::new(resolver))
            .build();
        client.map_err(|error| BuildError(error.without_url().to_string()))
    }

    /// Posts a message. Only the status of the response is read, and returned if it is a success.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: [(&str, &str); 5],
        body: Vec<u8>,
    ) -> Result<u16, PostError> {
        let allowed = self.private_targets.check(url);
        allowed.map_err(|error| PostError::unanswered(error.to_string()))?;
        let client = if url.scheme() == "http" { &self.plain } else { &self.tls };
        let mut request = client.post(url.clone()).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.map_err(|error| transport_error(&error))?;
        let status = response.status();
        let code = status.as_u16();
        if status.is_success() {
            return Ok(code);
        }
        let hint = if status.is_redirection() { "; redirects are not followed" } else { "" };
        Err(PostError { status: Some(code), reason: format!("answered {code}{hint}") })
    }
}

/// Returns the root cause of an error. Unlike the outer errors it contains no URL.
fn transport_error(error: &reqwest::Error) -> PostError {
    if error.is_timeout() {
        return PostError::unanswered("no answer in time");
    }
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    if root.is::<reqwest::Error>() {
        PostError::unanswered("the request could not be made")
    } else {
        PostError::unanswered(root.to_string())
    }
}
