//! The other messages to a person: a customer-service text, and a subscription notice.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::quota::EmptyResponse;
use crate::secret::{AccessToken, OpenId};
use crate::template::fields_json;
use serde_json::json;
use std::fmt;

/// A notice that a person has agreed to, once for each acceptance.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscriptionNotice {
    /// Who gets it.
    pub to: OpenId,
    /// Which template; those of subscriptions are others than those of template messages.
    pub template_id: String,
    /// Where a tap on it leads.
    pub page: Option<String>,
    /// Field (`thing2`) and text, exactly the fields of the template.
    pub fields: Vec<(String, String)>,
}

impl fmt::Debug for SubscriptionNotice {
    /// Says which notice, not to whom nor what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionNotice")
            .field("template_id", &self.template_id)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// `message/subscribe/bizsend`. `Ok` means accepted; whether it was delivered comes by callback.
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

    /// `message/custom/send` with a text, which WeChat takes only for a while after the person did
    /// something: 45015 and 45047 say that the while is over. It has no id and is never repeated
    /// safely.
    pub async fn send_text(
        &self,
        token: &AccessToken,
        to: &OpenId,
        text: &str,
    ) -> Result<(), CallError> {
        let body = json!({
            "touser": to.expose(),
            "msgtype": "text",
            "text": { "content": text },
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
