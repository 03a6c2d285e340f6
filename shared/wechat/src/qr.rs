//! Parametric QR codes: creation, and WeChat's own picture of a code.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::AccessToken;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest lifetime of a temporary code: 30 days.
pub(crate) const MAX_QR_EXPIRY: Duration = Duration::from_secs(2_592_000);

/// Request for a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrRequest {
    action: &'static str,
    scene: Scene,
    expiry: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scene {
    Text(String),
    Id(u32),
}

impl QrRequest {
    /// A temporary code for a string scene of 1 to 64 characters (`[A-Za-z0-9_-]` is safe).
    /// `expiry` is clamped to 1 s to 30 days.
    pub fn temporary_str(scene: impl Into<String>, expiry: Duration) -> Self {
        Self::new("QR_STR_SCENE", Scene::Text(scene.into()), Some(expiry))
    }

    /// A temporary code for a number, 1 to 4294967295. `expiry` is clamped to 1 s to 30 days.
    pub fn temporary_id(scene: u32, expiry: Duration) -> Self {
        Self::new("QR_SCENE", Scene::Id(scene), Some(expiry))
    }

    /// A permanent code for a string scene; an account has 100,000 permanent codes in all.
    pub fn permanent_str(scene: impl Into<String>) -> Self {
        Self::new("QR_LIMIT_STR_SCENE", Scene::Text(scene.into()), None)
    }

    /// A permanent code for a number, 1 to 100000.
    pub fn permanent_id(scene: u32) -> Self {
        Self::new("QR_LIMIT_SCENE", Scene::Id(scene), None)
    }

    fn new(action: &'static str, scene: Scene, expiry: Option<Duration>) -> Self {
        let expiry = expiry.map(|e| e.clamp(Duration::from_secs(1), MAX_QR_EXPIRY));
        QrRequest { action, scene, expiry }
    }

    /// Requested scene; `None` if it is a number.
    pub fn scene_str(&self) -> Option<&str> {
        match &self.scene {
            Scene::Text(text) => Some(text),
            Scene::Id(_) => None,
        }
    }

    /// Requested lifetime; `None` for a permanent code.
    pub fn expiry(&self) -> Option<Duration> {
        self.expiry
    }

    fn body(&self) -> Value {
        let scene = match &self.scene {
            Scene::Text(text) => json!({ "scene_str": text }),
            Scene::Id(id) => json!({ "scene_id": id }),
        };
        let mut body = json!({ "action_name": self.action, "action_info": { "scene": scene } });
        if let Some(expiry) = self.expiry {
            body["expire_seconds"] = expiry.as_secs().into();
        }
        body
    }
}

/// A code that WeChat created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrCode {
    /// Ticket with which WeChat's picture of the code is fetched.
    pub ticket: String,
    /// Content of the code, for drawing it locally.
    pub url: String,
    /// Lifetime; `None` for a permanent code.
    pub expires_in: Option<Duration>,
}

/// An image as WeChat serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Content type that WeChat declares, with `image/jpeg` for its `image/jpg`.
    pub content_type: String,
    /// Content of the file.
    pub bytes: Bytes,
}

#[derive(Deserialize)]
struct CreateQrResponse {
    ticket: String,
    url: String,
    expire_seconds: Option<i64>,
}

impl Client {
    /// `qrcode/create`.
    pub async fn create_qr(
        &self,
        token: &AccessToken,
        request: &QrRequest,
    ) -> Result<QrCode, CallError> {
        let answer: CreateQrResponse = self
            .call(ApiRequest {
                api: Api::CreateQr,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(request.body()),
                secrets: &[token.expose()],
            })
            .await?;
        let expires_in = answer
            .expire_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|_| request.expiry.is_some())
            .map(Duration::from_secs);
        Ok(QrCode { ticket: answer.ticket, url: answer.url, expires_in })
    }

    /// `showqrcode`: WeChat's own picture of a code. Needs no token; a picture has at most 2 MiB.
    pub async fn show_qr(&self, ticket: &str) -> Result<Picture, CallError> {
        // Tickets are base64: `+`, `/` and `=` must be encoded in a query.
        let query = format!("ticket={}", utf8_percent_encode(ticket, NON_ALPHANUMERIC));
        self.fetch_picture(Api::ShowQr, &query).await
    }
}
