//! Transport of a process to the simulated WeChat.

use super::platform::Platform;
use crate::link::Link;
use crate::world::World;
use async_trait::async_trait;
use paihao_wechat::{Transport, TransportError, TransportResponse};
use reqwest::header::HeaderMap;
use reqwest::{Request, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Timeout of a request that names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Transport of one process.
pub struct SimulatedTransport {
    world: Arc<World>,
    platform: Arc<Platform>,
    link: Link,
}

impl SimulatedTransport {
    /// Creates the transport of a process over its link.
    pub fn new(world: Arc<World>, platform: Arc<Platform>, link: Link) -> SimulatedTransport {
        SimulatedTransport { world, platform, link }
    }
}

#[async_trait]
impl Transport for SimulatedTransport {
    async fn exchange(&self, request: Request) -> Result<TransportResponse, TransportError> {
        if self.link.is_cut() && self.world.percent(50) {
            return Err(TransportError::Unreachable("connection refused".to_owned()));
        }
        let path = request.url().path().to_owned();
        let query = request.url().query_pairs();
        let token = query.into_iter().find(|(name, _)| name == "access_token");
        let token = token.map(|(_, token)| token.into_owned());
        let body = request.body().and_then(|body| body.as_bytes());
        let body: Value =
            body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        self.platform.note_sent(&body);
        let (world, platform) = (self.world.clone(), self.platform.clone());
        let limit = request.timeout().copied().unwrap_or(DEFAULT_TIMEOUT);
        let answered = self.link.call_within(limit, move || {
            let answer = platform.answer(&path, token.as_deref(), &body, world.now_ms());
            let (to, id) = (&body["touser"], &body["client_msg_id"]);
            world.record(format_args!("wechat {path} to {to} {id}: {answer}"));
            answer
        });
        match answered.await {
            Ok(answer) => Ok(TransportResponse {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: answer.to_string().into(),
            }),
            Err(_) if self.world.percent(50) => Err(TransportError::TimedOut),
            Err(_) => Err(TransportError::Broken("the connection broke")),
        }
    }
}
