//! Template messages: what to send to whom, and the id WeChat gives it.

use crate::client::Client;
use crate::codes::Place;
use crate::error::CallError;
use crate::secret::{AccessToken, OpenId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;

/// A message made from a template of the account's.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateMessage {
    /// Who gets it.
    pub to: OpenId,
    /// Which template.
    pub template_id: String,
    /// Where a tap on it leads.
    pub url: Option<String>,
    /// WeChat sends one message per person and id within 10 minutes. At most 32 ASCII characters.
    pub client_msg_id: Option<String>,
    /// Field (`thing2`) and text, exactly the fields of the template.
    pub fields: Vec<(String, String)>,
}

impl fmt::Debug for TemplateMessage {
    /// Says which message, not to whom nor what: texts and links are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateMessage")
            .field("template_id", &self.template_id)
            .field("client_msg_id", &self.client_msg_id)
            .finish_non_exhaustive()
    }
}

impl TemplateMessage {
    fn body(&self) -> Value {
        let data: Map<String, Value> = self
            .fields
            .iter()
            .map(|(field, text)| (field.clone(), json!({ "value": text })))
            .collect();
        let mut body = json!({
            "touser": self.to.expose(),
            "template_id": self.template_id,
            "data": data,
        });
        if let Some(url) = &self.url {
            body["url"] = url.as_str().into();
        }
        if let Some(id) = &self.client_msg_id {
            body["client_msg_id"] = id.as_str().into();
        }
        body
    }
}

/// WeChat's number of a message it accepted; up to 19 digits, 0 if it gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    msgid: u64,
}

impl Client {
    /// `message/template/send`. `Ok` means accepted; whether it was delivered comes by callback.
    pub async fn send_template(
        &self,
        token: &AccessToken,
        message: &TemplateMessage,
    ) -> Result<MessageId, CallError> {
        let url =
            self.api_url("cgi-bin/message/template/send", &[("access_token", token.expose())]);
        let post = self.http().post(url).json(&message.body());
        let secrets = [token.expose(), message.to.expose()];
        let answer: Answer = self.call("template_send", Place::Call, post, &secrets).await?;
        Ok(MessageId(answer.msgid))
    }
}
