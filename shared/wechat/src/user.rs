//! Profiles of persons: whether they follow, and the identity behind a web page's code.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::{AccessToken, AppId, AppSecret, OpenId, UnionId};
use serde::Deserialize;

/// A person as one account knows them. WeChat no longer provides names and pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// Openid of the person.
    pub openid: OpenId,
    /// True if they follow the account. If not, nothing else is known.
    pub follows: bool,
    /// Start of following, in Unix seconds.
    pub followed_at_s: Option<i64>,
    /// Way in which they came to follow: `ADD_SCENE_QR_CODE` and the like.
    pub subscribe_scene: Option<String>,
    /// Scene of the code through which they followed, if it was a text scene.
    pub scene: Option<String>,
    /// Their language: `zh_CN`.
    pub language: Option<String>,
    /// Their id at all accounts of the open platform that the account belongs to, if it does.
    pub unionid: Option<UnionId>,
}

#[derive(Deserialize)]
struct UserInfoResponse {
    subscribe: u8,
    openid: OpenId,
    subscribe_time: Option<i64>,
    subscribe_scene: Option<String>,
    qr_scene_str: Option<String>,
    language: Option<String>,
    unionid: Option<String>,
}

/// A person who opened a web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebVisitor {
    /// Openid of the person.
    pub openid: OpenId,
    /// True for a preview under an anonymous openid: bind nothing to it.
    pub preview: bool,
}

#[derive(Deserialize)]
struct ExchangeCodeResponse {
    openid: OpenId,
    #[serde(default)]
    is_snapshotuser: u8,
}

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl Client {
    /// `user/info`.
    pub async fn user_info(
        &self,
        token: &AccessToken,
        openid: &OpenId,
    ) -> Result<UserInfo, CallError> {
        let response: UserInfoResponse = self
            .call(ApiRequest {
                api: Api::UserInfo,
                scope: CodeScope::Call,
                query: &[
                    ("access_token", token.expose()),
                    ("openid", openid.expose()),
                    ("lang", "zh_CN"),
                ],
                body: None,
                secrets: &[token.expose(), openid.expose()],
            })
            .await?;
        Ok(UserInfo {
            openid: response.openid,
            follows: response.subscribe != 0,
            followed_at_s: response.subscribe_time,
            subscribe_scene: non_empty(response.subscribe_scene),
            scene: non_empty(response.qr_scene_str),
            language: non_empty(response.language),
            unionid: non_empty(response.unionid).map(UnionId::new),
        })
    }

    /// `sns/oauth2/access_token`: exchanges a web page's code for the person. A code works once,
    /// for five minutes. The token in WeChat's answer is of another kind and not kept.
    pub async fn exchange_code(
        &self,
        app: &AppId,
        secret: &AppSecret,
        code: &str,
    ) -> Result<WebVisitor, CallError> {
        let response: ExchangeCodeResponse = self
            .call(ApiRequest {
                api: Api::ExchangeCode,
                scope: CodeScope::Secret,
                query: &[
                    ("appid", &app.0),
                    ("secret", secret.expose()),
                    ("code", code),
                    ("grant_type", "authorization_code"),
                ],
                body: None,
                secrets: &[secret.expose(), code],
            })
            .await?;
        Ok(WebVisitor { openid: response.openid, preview: response.is_snapshotuser != 0 })
    }
}
