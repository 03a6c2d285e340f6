//! Customer-service texts and subscription notices.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::quota::EmptyResponse;
use crate::secret::{AccessToken, OpenId};
use crate::template::{MiniProgramPage, fields_json};
use crate::text::fit_text;
use serde_json::json;
use std::fmt;

/// A notice that a person has agreed to, once for each acceptance.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscriptionNotice {
    /// Recipient.
    pub to: OpenId,
    /// Id of the template; subscription templates are separate from those of template messages.
    pub template_id: String,
    /// URL that a tap opens.
    pub page: Option<String>,
    /// Page of a mini program that a tap opens instead, where the phone can.
    pub mini_program: Option<MiniProgramPage>,
    /// Field (`thing2`) and text, exactly the fields of the template.
    pub fields: Vec<(String, String)>,
}

impl fmt::Debug for SubscriptionNotice {
    /// Prints the template without recipient and texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionNotice")
            .field("template_id", &self.template_id)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// `message/subscribe/bizsend`. `Ok` means accepted; the delivery result comes by callback.
    pub async fn send_subscription(
        &self,
        token: &AccessToken,
        notice: &SubscriptionNotice,
    ) -> Result<(), CallError> {
        let mut body = json!({
            "touser": notice.to.expose(),
            "template_id": notice.template_id,
            "data": fields_json(&notice.fields),
        });
        if let Some(page) = &notice.page {
            body["page"] = page.as_str().into();
        }
        if let Some(page) = &notice.mini_program {
            body["miniprogram"] = page.body();
        }
        let answer: Result<EmptyResponse, _> = self
            .call(ApiRequest {
                api: Api::SendSubscription,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(body),
                secrets: &[token.expose(), notice.to.expose()],
            })
            .await;
        answer.map(drop)
    }

    /// `message/custom/send` with a text, cut to what WeChat takes. WeChat accepts it only for a
    /// limited time after an action of the person: 45015 and 45047 report its end. It has no id and
    /// is never safe to repeat.
    pub async fn send_text(
        &self,
        token: &AccessToken,
        to: &OpenId,
        text: &str,
    ) -> Result<(), CallError> {
        let body = json!({
            "touser": to.expose(),
            "msgtype": "text",
            "text": { "content": fit_text(text) },
        });
        let answer: Result<EmptyResponse, _> = self
            .call(ApiRequest {
                api: Api::SendText,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(body),
                secrets: &[token.expose(), to.expose()],
            })
            .await;
        answer.map(drop)
    }
}
