//! Client that passes pushes on to other systems of the owner's, and their replies back, unchanged.
//!
//! The addresses are settings that change while the system runs: [`PrivateTargets`] guards them.

use crate::client::ClientBuildError;
use crate::private_targets::{PrivateTargets, TargetError};
use crate::transport::root_cause;
use bytes::{Bytes, BytesMut};
use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::redirect;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Header of a forwarded push. A push that has it is not forwarded again.
pub const FORWARDED: HeaderName = HeaderName::from_static("paihao-forwarded");

/// Largest reply that is passed on. WeChat's own limit on a text is far below.
pub const MAX_REPLY_BYTES: usize = 256 << 10;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Failure of forwarding. It quotes no address, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The address is not allowed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No connection, for this reason.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No whole reply in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke before the reply was complete.
    #[error("the connection broke")]
    Broken,
    /// A status other than 200.
    #[error("it answered with status {0}")]
    Status(u16),
    /// A reply larger than [`MAX_REPLY_BYTES`].
    #[error("its answer is too large")]
    TooLarge,
    /// A reply that WeChat would count as a failure.
    #[error("its answer is neither success nor a reply of WeChat's form")]
    NotAReply,
}

impl ForwardError {
    /// Short name, as a metric label.
    pub fn label(&self) -> &'static str {
        match self {
            ForwardError::Target(_) => "not_allowed",
            ForwardError::Unreachable(_) => "unreachable",
            ForwardError::TimedOut => "timed_out",
            ForwardError::Broken => "broken",
            ForwardError::Status(_) => "status",
            ForwardError::TooLarge => "too_large",
            ForwardError::NotAReply => "not_a_reply",
        }
    }
}

/// Push as it came from WeChat.
#[derive(Clone, Copy)]
pub struct RawPush<'a> {
    /// Query of the address, with the signatures.
    pub query: &'a str,
    /// Type of the body.
    pub content_type: Option<&'a HeaderValue>,
    /// Body.
    pub body: &'a Bytes,
}

/// Reply of another system, to be passed on as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedReply {
    /// Type of the body.
    pub content_type: Option<HeaderValue>,
    /// Body.
    pub body: Bytes,
}

impl ForwardedReply {
    /// Returns whether the person sees nothing of it.
    pub fn is_silent(&self) -> bool {
        matches!(self.body.trim_ascii(), b"" | b"success")
    }

    /// Returns whether WeChat takes it for a reply.
    fn is_legal(&self) -> bool {
        let text = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body).trim_ascii();
        self.is_silent() || (text.starts_with(b"<xml") && text.ends_with(b"</xml>"))
    }
}

/// Client for forwarding. Cheap to clone.
#[derive(Clone)]
pub struct PushForwarder {
    allowed: PrivateTargets,
    plain: reqwest::Client,
    tls: reqwest::Client,
}

impl PushForwarder {
    /// Creates a client that also reaches these private networks.
    pub fn new(allowed: PrivateTargets) -> Result<PushForwarder, ClientBuildError> {
        let client = |is_plain| {
            build_client(allowed.resolver(is_plain))
                .map_err(|error| ClientBuildError(root_cause(&error.without_url())))
        };
        Ok(PushForwarder { plain: client(true)?, tls: client(false)?, allowed })
    }

    /// Forwards a push, and returns the reply if it comes within the timeout.
    pub async fn forward(
        &self,
        target: &Url,
        push: RawPush<'_>,
        timeout: Duration,
    ) -> Result<ForwardedReply, ForwardError> {
        self.allowed.check(target)?;
        let mut url = target.clone();
        url.set_query(Some(&match target.query() {
            Some(own) if !own.is_empty() => format!("{own}&{}", push.query),
            _ => push.query.to_owned(),
        }));
        let client = if url.scheme() == "http" { &self.plain } else { &self.tls };
        let mut request = client.post(url).header(FORWARDED, "1").timeout(timeout);
        if let Some(content_type) = push.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let sent = request.body(push.body.clone()).send().await;
        let mut response = sent.map_err(forward_error)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(ForwardError::Status(response.status().as_u16()));
        }
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(forward_error)? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(ForwardError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let reply = ForwardedReply { content_type, body: body.freeze() };
        if reply.is_legal() { Ok(reply) } else { Err(ForwardError::NotAReply) }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "pushes go to hosts of the owner's, and must not share a client with WeChat's tokens"
)]
fn build_client(resolver: impl Resolve + 'static) -> reqwest::Result<reqwest::Client> {
    // reqwest uses the process's provider. It does no harm if another crate has installed one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent("Mozilla/4.0")
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(16)
        .dns_resolver(Arc::new(resolver))
        .build()
}

/// Converts an error of reqwest's, which prints addresses, into ours, which does not.
fn forward_error(error: reqwest::Error) -> ForwardError {
    let error = error.without_url();
    if error.is_timeout() {
        ForwardError::TimedOut
    } else if error.is_connect() {
        ForwardError::Unreachable(root_cause(&error))
    } else {
        ForwardError::Broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_wechat_takes_for_a_reply_is_passed_on() {
        let reply = |body: &'static str| ForwardedReply {
            content_type: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        for (body, silent) in [
            ("", true),
            ("success", true),
            (" success\n", true),
            ("<xml><ToUserName>a</ToUserName></xml>\n", false),
            ("\u{feff}<xml>a</xml>", false),
        ] {
            assert!(reply(body).is_legal(), "{body}");
            assert_eq!(reply(body).is_silent(), silent, "{body}");
        }
        for body in ["<html>", "{\"errcode\":0}", "fail", "<xml>cut", "<!DOCTYPE html><xml></xml>"]
        {
            assert!(!reply(body).is_legal(), "{body}");
        }
    }
}
