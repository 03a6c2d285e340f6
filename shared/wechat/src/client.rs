//! The one pooled HTTP client, and the boundary at which addresses are cut from its errors.

use crate::answer::{self, garbled, scrub};
use crate::codes::Place;
use crate::error::CallError;
use crate::qr::Picture;
use bytes::{Bytes, BytesMut};
use reqwest::{RequestBuilder, Response, redirect};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// The largest answer that is read: pictures are some 30 KiB, JSON far less.
const LARGEST_ANSWER: usize = 2 << 20;

/// Where WeChat is. The defaults are the real one; a simulator stands at both under one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Serves the API; `https://api.weixin.qq.com/` by default.
    pub api: Url,
    /// Serves `showqrcode`; `https://mp.weixin.qq.com/` by default.
    pub mp: Url,
}

impl Default for Endpoints {
    fn default() -> Self {
        let url = |text| Url::parse(text).expect("written here and valid");
        Endpoints { api: url("https://api.weixin.qq.com/"), mp: url("https://mp.weixin.qq.com/") }
    }
}

/// How the client calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where WeChat is.
    pub endpoints: Endpoints,
    /// Longest wait for a connection; 2 s by default.
    pub connect_timeout: Duration,
    /// Longest wait for a whole call, connection included; 5 s by default.
    pub total_timeout: Duration,
    /// Idle connections kept per host; 64 by default.
    pub max_idle_per_host: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            endpoints: Endpoints::default(),
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(5),
            max_idle_per_host: 64,
        }
    }
}

/// The client could not be built: this machine has no root certificates, most likely.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client cannot be built (are the system's CA certificates installed?): {0}")]
pub struct BuildError(String);

/// Calls WeChat over one pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoints: Arc<Endpoints>,
}

impl Client {
    /// A client; build one per process. It follows no redirects and heeds no proxy variables:
    /// a token in a URL goes to WeChat or nowhere.
    #[allow(clippy::disallowed_methods, reason = "the one place that builds an HTTP client")]
    pub fn new(options: ClientOptions) -> Result<Self, BuildError> {
        // reqwest takes the process's provider. Another crate may have installed one: also fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(options.connect_timeout)
            .timeout(options.total_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .build()
            .map_err(|error| BuildError(rendered(&error.without_url())))?;
        Ok(Client { http, endpoints: Arc::new(options.endpoints) })
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(crate) fn api_url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = at(&self.endpoints.api, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(crate) fn mp_url(&self, path: &str, query: &str) -> Url {
        let mut url = at(&self.endpoints.mp, path);
        url.set_query(Some(query));
        url
    }

    /// Sends a request and reads its JSON. `api` names it in metrics.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        api: &'static str,
        place: Place,
        request: RequestBuilder,
        secrets: &[&str],
    ) -> Result<T, CallError> {
        let answer = async {
            let response = request.send().await.map_err(|error| failed(error, secrets))?;
            let body = body(response, secrets).await?;
            answer::read(&body, place, secrets)
        };
        measured(api, answer).await
    }

    /// Fetches a picture.
    pub(crate) async fn picture(&self, api: &'static str, url: Url) -> Result<Picture, CallError> {
        let answer = async {
            let response = self.http.get(url).send().await.map_err(|error| failed(error, &[]))?;
            let status = response.status();
            let content_type = response
                .headers()
                .get(reqwest::header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            let bytes = body(response, &[]).await?;
            if status.is_success() && content_type.starts_with("image/") {
                return Ok(Picture { content_type, bytes });
            }
            // An error may come as JSON under any content type; without a code it is garbled.
            answer::read::<serde_json::Value>(&bytes, Place::Call, &[])?;
            Err(garbled("not a picture"))
        };
        measured(api, answer).await
    }
}

/// `path` under a base address that may have a path of its own.
fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

async fn measured<T>(
    api: &'static str,
    answer: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let begun = Instant::now();
    let answer = answer.await;
    let outcome = answer.as_ref().map_or_else(CallError::outcome, |_| "ok");
    metrics::counter!("paihao_wechat_calls_total", "api" => api, "outcome" => outcome).increment(1);
    metrics::histogram!("paihao_wechat_call_seconds", "api" => api)
        .record(begun.elapsed().as_secs_f64());
    answer
}

async fn body(mut response: Response, secrets: &[&str]) -> Result<Bytes, CallError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(error, secrets))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(garbled("longer than any answer"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A failure of reqwest's, which prints addresses, as one of ours, which does not.
fn failed(error: reqwest::Error, secrets: &[&str]) -> CallError {
    let error = error.without_url();
    if error.is_connect() {
        CallError::Unreachable(scrub(&rendered(&error), secrets))
    } else if error.is_timeout() {
        CallError::TimedOut
    } else {
        garbled("the connection broke before the answer was complete")
    }
}

/// The last sentence of an error's chain: the cause, where the others only say what failed.
fn rendered(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
