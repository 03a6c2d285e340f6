//! Pooled HTTP client for WeChat, which removes addresses and secrets from its errors.

use crate::api::Api;
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::hosts::HostSelector;
use crate::json::{self, garbled_response, redact};
use crate::qr::Picture;
use crate::transport::{HttpTransport, Transport, TransportError, TransportResponse, root_cause};
use paihao_chassis::trace::{Span, SpanKind};
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Base URLs of WeChat. The defaults are the real ones; a simulator serves both under one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Base of the API; `https://api.weixin.qq.com/` by default.
    pub api: Url,
    /// Base of `showqrcode`; `https://mp.weixin.qq.com/` by default.
    pub mp: Url,
}

impl Default for Endpoints {
    fn default() -> Self {
        let url = |text| Url::parse(text).expect("written here and valid");
        Endpoints { api: url("https://api.weixin.qq.com/"), mp: url("https://mp.weixin.qq.com/") }
    }
}

/// Address of an HTTP proxy. It may hold a password, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddress(Url);

impl ProxyAddress {
    /// Parses `http://host:port/`; `None` if the text is no such address.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        (url.scheme() == "http" && url.has_host()).then_some(Self(url))
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyAddress").finish_non_exhaustive()
    }
}

/// Options of the client.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Base URLs of WeChat.
    pub endpoints: Endpoints,
    /// Alternative bases of the API, tried in this order while `endpoints.api` cannot be reached;
    /// none by default. WeChat has `https://api2.weixin.qq.com/`.
    pub fallbacks: Vec<Url>,
    /// Interval at which, while an alternative is in use, one call probes `endpoints.api`; 60 s by
    /// default.
    pub failback_interval: Duration,
    /// Timeout of a connection attempt; 2 s by default.
    pub connect_timeout: Duration,
    /// Timeout of a whole call, with all its connection attempts; 5 s by default.
    pub total_timeout: Duration,
    /// Idle connections kept per host; 64 by default.
    pub max_idle_per_host: usize,
    /// HTTP proxy that every call goes through; none by default. Calls by HTTPS pass it in a
    /// tunnel, in which it sees the host only.
    pub proxy: Option<ProxyAddress>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            endpoints: Endpoints::default(),
            fallbacks: Vec::new(),
            failback_interval: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(5),
            max_idle_per_host: 64,
            proxy: None,
        }
    }
}

/// Error on building the client: most likely this machine has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client cannot be built (are the system's CA certificates installed?): {0}")]
pub struct ClientBuildError(pub(crate) String);

/// Client for WeChat over one pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<ClientInner>);

struct ClientInner {
    transport: Arc<dyn Transport>,
    /// Bases of the API, the preferred one first.
    api_hosts: Vec<Url>,
    mp: Url,
    hosts: Mutex<HostSelector>,
    started: Instant,
    total_timeout: Duration,
}

/// A call of the API, independent of the host.
pub(crate) struct ApiRequest<'a> {
    pub(crate) api: Api,
    pub(crate) scope: CodeScope,
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Body of a POST; a GET has none.
    pub(crate) body: Option<Value>,
    /// Secrets that must not occur in any error.
    pub(crate) secrets: &'a [&'a str],
}

impl Client {
    /// Creates a client; build one per process. It follows no redirects, and takes no proxy but the
    /// one of its options: no variable of the environment leads a token elsewhere.
    #[expect(clippy::disallowed_methods, reason = "the one place that builds an HTTP client")]
    pub fn new(options: ClientOptions) -> Result<Self, ClientBuildError> {
        // reqwest uses the process's provider. It does no harm if another crate has installed one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: reqwest::Error| ClientBuildError(root_cause(&error.without_url()));
        let builder = reqwest::Client::builder().no_proxy();
        let builder = match &options.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.0.clone()).map_err(failed)?),
            None => builder,
        };
        let http = builder
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect_timeout)
            .timeout(options.total_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .build()
            .map_err(failed)?;
        Ok(Client::over(Arc::new(HttpTransport(http)), options))
    }

    /// Creates a client over another transport, which takes the place of WeChat in a simulation.
    pub fn over(transport: Arc<dyn Transport>, options: ClientOptions) -> Client {
        let apis: Vec<Url> = [options.endpoints.api].into_iter().chain(options.fallbacks).collect();
        Client(Arc::new(ClientInner {
            transport,
            hosts: Mutex::new(HostSelector::new(apis.len(), options.failback_interval)),
            api_hosts: apis,
            mp: options.endpoints.mp,
            started: Instant::now(),
            total_timeout: options.total_timeout,
        }))
    }

    /// Makes a call and parses its JSON. It tries the next host only if no connection could be
    /// made: after any other failure the call may have taken effect.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        request: ApiRequest<'_>,
    ) -> Result<T, CallError> {
        let answer = async {
            let response = self.send_with_failover(&request).await?;
            json::parse_response(&response.body, request.scope, request.secrets)
        };
        with_metrics(request.api, answer).await
    }

    /// Sends one request. `secrets` must not occur in any error.
    pub(crate) async fn exchange(
        &self,
        request: Request,
        secrets: &[&str],
    ) -> Result<TransportResponse, CallError> {
        let response = self.0.transport.exchange(request).await;
        response.map_err(|error| match error {
            TransportError::Unreachable(reason) => CallError::Unreachable(redact(&reason, secrets)),
            TransportError::TimedOut => CallError::TimedOut,
            TransportError::Broken(reason) => garbled_response(reason),
        })
    }

    /// The preferred base of the API.
    pub(crate) fn api_base(&self) -> &Url {
        &self.0.api_hosts[0]
    }

    async fn send_with_failover(
        &self,
        request: &ApiRequest<'_>,
    ) -> Result<TransportResponse, CallError> {
        let inner = &*self.0;
        let started = Instant::now();
        let route = inner.hosts.lock().route(inner.started.elapsed());
        let mut unreachable = None;
        for (index, host) in route.order.iter().enumerate() {
            let remaining = inner.total_timeout.saturating_sub(started.elapsed());
            if index > 0 && remaining < Duration::from_millis(100) {
                break;
            }
            let mut attempt = inner.build_request(*host, request);
            *attempt.timeout_mut() = Some(remaining);
            match self.exchange(attempt, request.secrets).await {
                Err(error @ CallError::Unreachable(_)) => unreachable = Some(error),
                answer => {
                    let now = inner.started.elapsed();
                    let new_host = inner.hosts.lock().record_success(&route, index, now);
                    if let Some(new_host) = new_host {
                        let host = inner.api_hosts[new_host].host_str().unwrap_or_default();
                        tracing::warn!(host, "switched to another API host");
                        metrics::counter!("paihao_wechat_host_changes_total").increment(1);
                    }
                    return answer;
                }
            }
        }
        Err(unreachable.unwrap_or(CallError::TimedOut))
    }

    /// Downloads a picture.
    pub(crate) async fn fetch_picture(&self, api: Api, query: &str) -> Result<Picture, CallError> {
        let mut url = api_url(&self.0.mp, api);
        url.set_query(Some(query));
        let answer = async {
            let request = Request::new(Method::GET, url);
            let TransportResponse { status, headers, body: bytes } =
                self.exchange(request, &[]).await?;
            let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            // WeChat's name for it, which is not registered.
            let content_type = match content_type.unwrap_or_default() {
                "image/jpg" => "image/jpeg".to_owned(),
                other => other.to_owned(),
            };
            if status.is_success() && content_type.starts_with("image/") {
                return Ok(Picture { content_type, bytes });
            }
            // An error may come as JSON under any content type; without a code the response is
            // garbled.
            json::parse_response::<Value>(&bytes, CodeScope::Call, &[])?;
            Err(garbled_response("not a picture"))
        };
        with_metrics(api, answer).await
    }
}

impl ClientInner {
    fn build_request(&self, host: usize, request: &ApiRequest<'_>) -> Request {
        let mut url = api_url(&self.api_hosts[host], request.api);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let Some(body) = &request.body else { return Request::new(Method::GET, url) };
        let mut post = Request::new(Method::POST, url);
        post.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *post.body_mut() = Some(body.to_string().into());
        post
    }
}

/// URL of an API under a base that may have a path of its own.
pub(crate) fn api_url(base: &Url, api: Api) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), api.path()));
    url.set_query(None);
    url.set_fragment(None);
    url
}

async fn with_metrics<T>(
    api: Api,
    answer: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let started = Instant::now();
    let mut span = Span::begin(SpanKind::Client, api.path());
    let answer = answer.await;
    let outcome = answer.as_ref().map_or_else(CallError::outcome, |_| "ok");
    span.label("paihao.outcome", outcome);
    if answer.is_err() {
        span.fail(outcome);
    }
    let api = api.name();
    metrics::counter!("paihao_wechat_calls_total", "api" => api, "outcome" => outcome).increment(1);
    metrics::histogram!("paihao_wechat_call_seconds", "api" => api)
        .record(started.elapsed().as_secs_f64());
    answer
}
