//! Template messages: request, message id, and rules of the fields.
//!
//! [`fields`] is the table of field types and fits texts to them. [`list`] reads the account's own
//! templates and checks bindings and messages against them. [`library`] adds templates of the
//! public library to the account's own.

pub mod fields;
pub mod library;
pub mod list;

pub use fields::{FieldTextError, FieldType, fit};
pub use list::{Template, TemplateFault, TemplateField};

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::json::garbled_response;
use crate::secret::{AccessToken, OpenId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;

/// A message from a template of the account.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateMessage {
    /// Recipient.
    pub to: OpenId,
    /// Id of the template.
    pub template_id: String,
    /// URL that a tap opens.
    pub url: Option<String>,
    /// Page of a mini program that a tap opens instead, where the phone can.
    pub mini_program: Option<MiniProgramPage>,
    /// Deduplication id: WeChat sends one message per person and id within 10 minutes. At most 32
    /// ASCII characters.
    pub client_msg_id: Option<String>,
    /// Field (`thing2`) and text, exactly the fields of the template.
    pub fields: Vec<(String, String)>,
}

/// Page of a mini program that is bound to the account.
#[derive(Clone, PartialEq, Eq)]
pub struct MiniProgramPage {
    /// AppID of the mini program.
    pub appid: String,
    /// Path of the page, with its query; empty for the first page.
    pub path: String,
}

impl fmt::Debug for MiniProgramPage {
    /// Prints the mini program without the path, whose query is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiniProgramPage").field("appid", &self.appid).finish_non_exhaustive()
    }
}

impl MiniProgramPage {
    pub(crate) fn body(&self) -> Value {
        if self.path.is_empty() {
            return json!({ "appid": self.appid });
        }
        json!({ "appid": self.appid, "pagepath": self.path })
    }
}

impl fmt::Debug for TemplateMessage {
    /// Prints the template without recipient, texts and links, which are personal.
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
        if let Some(page) = &self.mini_program {
            body["miniprogram"] = page.body();
        }
        if let Some(id) = &self.client_msg_id {
            body["client_msg_id"] = id.as_str().into();
        }
        body
    }
}

/// Converts fields into the form of a request.
pub(crate) fn fields_json(fields: &[(String, String)]) -> Value {
    let data = fields.iter().map(|(field, text)| (field.clone(), json!({ "value": text })));
    data.collect::<Map<String, Value>>().into()
}

/// WeChat's id of an accepted message; up to 19 digits, 0 if it gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

#[derive(Deserialize)]
struct SendTemplateResponse {
    msgid: Option<MsgIdValue>,
}

/// A number or a text: some programs between WeChat and us turn numbers beyond 2^53 into text.
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
    /// `message/template/send`. `Ok` means accepted; the delivery result comes by callback.
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
