//! Requests for access tokens: the stable channel and the classic one.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::json::garbled_response;
use crate::secret::{AccessToken, AppId, AppSecret};
use serde::Deserialize;
use std::time::Duration;

/// A token that WeChat has just issued.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: AccessToken,
    /// Lifetime from now; on the stable channel the remaining one.
    pub expires_in: Duration,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: AccessToken,
    expires_in: u64,
}

impl TryFrom<TokenResponse> for IssuedToken {
    type Error = CallError;

    /// An empty token, or one that has ended, is none: whoever keeps a former one keeps it.
    fn try_from(answer: TokenResponse) -> Result<Self, CallError> {
        if answer.access_token.expose().trim().is_empty() {
            return Err(garbled_response("the access_token is empty"));
        }
        if answer.expires_in == 0 {
            return Err(garbled_response("the access_token has no lifetime"));
        }
        Ok(IssuedToken {
            token: answer.access_token,
            expires_in: Duration::from_secs(answer.expires_in),
        })
    }
}

impl Client {
    /// `stable_token`: normally (`force` false) the current token until its last five minutes and
    /// then a new one; forced, always a new one. WeChat allows 20 forced calls a day, 30 s apart.
    pub async fn stable_token(
        &self,
        app: &AppId,
        secret: &AppSecret,
        force: bool,
    ) -> Result<IssuedToken, CallError> {
        let body = serde_json::json!({
            "grant_type": "client_credential",
            "appid": app.0,
            "secret": secret.expose(),
            "force_refresh": force,
        });
        let answer: TokenResponse = self
            .call(ApiRequest {
                api: Api::StableToken,
                scope: CodeScope::Secret,
                query: &[],
                body: Some(body),
                secrets: &[secret.expose()],
            })
            .await?;
        answer.try_into()
    }

    /// `token`, the classic channel: every call issues a new token, and the former one expires five
    /// minutes later. The secret travels in the URL because WeChat accepts it nowhere else.
    pub async fn classic_token(
        &self,
        app: &AppId,
        secret: &AppSecret,
    ) -> Result<IssuedToken, CallError> {
        let answer: TokenResponse = self
            .call(ApiRequest {
                api: Api::ClassicToken,
                scope: CodeScope::Secret,
                query: &[
                    ("grant_type", "client_credential"),
                    ("appid", &app.0),
                    ("secret", secret.expose()),
                ],
                body: None,
                secrets: &[secret.expose()],
            })
            .await?;
        answer.try_into()
    }
}
