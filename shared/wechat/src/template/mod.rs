//! Template messages: what to send to whom, the id WeChat gives it, and what fits into its fields.
//!
//! [`parse_fields`] is the table of field types: what each takes, and how a text is made to fit.
//! [`list_index`] reads the account's own templates and holds bindings and messages against them.

pub mod fields;
pub mod list;

pub use fields::{FieldTextError, FieldType, fit};
pub use list::{Template, TemplateFault};

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::json::garbled_response;
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
        let mut body = json!({
            "touser": self.to.expose(),
            "template_id": self.template_id,
            "data": fields_json(&self.fields),
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

/// Fields in the form of a request.
pub(crate) fn fields_json(fields: &[(String, String)]) -> Value {
    let data = fields.iter().map(|(field, text)| (field.clone(), json!({ "value": text })));
    data.collect::<Map<String, Value>>().into()
}

/// WeChat's number of a message it accepted; up to 19 digits, 0 if it gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

#[derive(Deserialize)]
struct SendTemplateResponse {
    msgid: Option<MsgIdValue>,
}

/// Some programs between WeChat and us turn numbers beyond 2^53 into text.
#[derive(Deserialize)]
#[serde(untagged)]
enum MsgIdValue {
    Number(u64),
    Text(String),
}

impl MsgIdValue {
    fn into_message_id(self) -> Result<MessageId, CallError> {
        match self {
            MsgIdValue::Number(number) => Ok(MessageId(number)),
            MsgIdValue::Text(text) => {
                text.parse().map(MessageId).map_err(|_| garbled_response("the msgid is no number"))
            }
        }
    }
}

impl Client {
    /// `message/template/send`. `Ok` means accepted; whether it was delivered comes by callback.
    pub async fn send_template(
        &self,
        token: &AccessToken,
        message: &TemplateMessage,
    ) -> Result<MessageId, CallError> {
        let answer: SendTemplateResponse = self
            .call(ApiRequest {
                api: Api::SendTemplate,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(message.body()),
                secrets: &[token.expose(), message.to.expose()],
            })
            .await?;
        answer.msgid.map_or(Ok(MessageId(0)), MsgIdValue::into_message_id)
    }
}
