//! Load balancer in front of the gateways, which calls their routes in the same process.

use crate::process::GatewayProcess;
use crate::world::World;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request as HttpRequest, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Largest answer that is read, in bytes.
const MAX_BODY_BYTES: usize = 4 << 20;
/// Address that every request comes from.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// Request to a gateway.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path, with the query.
    pub path: String,
    /// Bearer key, if any.
    pub bearer: Option<&'static str>,
    /// `Idempotency-Key`, if any.
    pub key: Option<String>,
    /// `If-Match`, if any.
    pub if_match: Option<String>,
    /// Body.
    pub body: String,
}

impl Request {
    /// Creates a request without key and body.
    pub fn new(method: Method, path: &str) -> Request {
        let path = path.to_owned();
        Request { method, path, bearer: None, key: None, if_match: None, body: String::new() }
    }
}

/// Answer of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, if any.
    pub etag: Option<String>,
    /// Body as text.
    pub body: String,
}

/// Error for a request without an answer: it may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoReply;

/// Balancer of requests among the gateways that run.
pub struct Edge {
    world: Arc<World>,
    gateways: Mutex<Vec<Arc<GatewayProcess>>>,
    /// Change that every request goes through: a mending that is taken out.
    rewrite: fn(&World, &mut Request),
}

impl Edge {
    /// Creates a balancer without gateways.
    pub fn new(world: Arc<World>, rewrite: fn(&World, &mut Request)) -> Edge {
        Edge { world, gateways: Mutex::default(), rewrite }
    }

    /// Replaces the gateways.
    pub fn set_gateways(&self, gateways: Vec<Arc<GatewayProcess>>) {
        *self.gateways.lock() = gateways;
    }

    /// Sends a request to one of the gateways.
    pub async fn call(&self, request: &Request, limit: Duration) -> Result<Reply, NoReply> {
        let open: Vec<_> =
            self.gateways.lock().iter().filter(|gateway| gateway.is_open()).cloned().collect();
        if open.is_empty() {
            return Err(NoReply);
        }
        let gateway = open[self.world.index(open.len())].clone();
        self.call_gateway(&gateway, request, limit).await
    }

    /// Sends a request to this gateway.
    pub async fn call_gateway(
        &self,
        gateway: &GatewayProcess,
        request: &Request,
        limit: Duration,
    ) -> Result<Reply, NoReply> {
        let mut request = request.clone();
        (self.rewrite)(&self.world, &mut request);
        let Request { method, path, bearer, key, if_match, body } = request;
        let described = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let mut http = HttpRequest::builder().method(method).uri(path);
        if let Some(bearer) = bearer {
            http = http.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if let Some(key) = &key {
            http = http.header("idempotency-key", key);
        }
        if let Some(revision) = if_match {
            http = http.header(header::IF_MATCH, revision);
        }
        let http = http.extension(ConnectInfo(PEER)).body(Body::from(body));
        let http = http.expect("the request is well-formed");
        let name = &gateway.name;
        let exchange = async {
            let response = TowerToHyperService::new(gateway.routes.clone()).call(http).await;
            let response = response.unwrap_or_else(|never| match never {});
            let status = response.status().as_u16();
            let etag = response.headers().get(header::ETAG);
            let etag = etag.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
            let body = axum::body::to_bytes(response.into_body(), MAX_BODY_BYTES).await;
            let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
            Reply { status, etag, body: body.unwrap_or_default() }
        };
        // The death of the gateway breaks the connection.
        let alive = gateway.dead.run_until_cancelled(timeout(limit, exchange)).await;
        let reply = alive.and_then(Result::ok).ok_or(NoReply);
        let key = key.as_deref().unwrap_or("-");
        match &reply {
            Ok(Reply { status, .. }) => {
                self.world.record(format_args!("{name} {described} {key}: {status}"));
            }
            Err(NoReply) => self.world.record(format_args!("{name} {described} {key}: no reply")),
        }
        reply
    }
}
