//! HTTPS client for webhooks: posts one message to the configured URL, without redirects or
//! proxies.

use reqwest::{Url, header, redirect};
use std::error::Error;
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

/// Reason that a post failed, without the URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PostError(pub(super) String);

#[derive(Clone)]
pub(super) struct Client(reqwest::Client);

impl Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "webhooks go to hosts of the owner's, and must not share a client with WeChat's tokens"
    )]
    pub(super) fn new() -> Result<Client, BuildError> {
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
            .build();
        client.map(Client).map_err(|error| BuildError(error.without_url().to_string()))
    }

    /// Posts a message. Only the status of the response is read.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: [(&str, &str); 2],
        body: Vec<u8>,
    ) -> Result<(), PostError> {
        let mut request = self.0.post(url.clone()).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.map_err(|error| transport_error(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(PostError(if status.is_redirection() {
            format!("answered {}; redirects are not followed", status.as_u16())
        } else {
            format!("answered {}", status.as_u16())
        }))
    }
}

/// Returns the root cause of an error. Unlike the outer errors it contains no URL.
fn transport_error(error: &reqwest::Error) -> PostError {
    if error.is_timeout() {
        return PostError("no answer in time".to_owned());
    }
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    if root.is::<reqwest::Error>() {
        PostError("the request could not be made".to_owned())
    } else {
        PostError(root.to_string())
    }
}
