//! Templates of the account, and checks of bindings and messages against them.

use super::fields::{FieldTextError, FieldType};
use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::AccessToken;
use serde::Deserialize;
use std::fmt;

/// A template of the account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// Id by which messages refer to it.
    #[serde(rename = "template_id")]
    pub id: String,
    /// Title of the card.
    #[serde(default)]
    pub title: String,
    /// Lines of the card: `排队号码：{{character_string2.DATA}}`.
    #[serde(default)]
    pub content: String,
}

/// A fault of a binding or a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFault {
    /// The account has no such template: it was deleted, or belongs to another account.
    NoTemplate(String),
    /// The template has this field, and no text is given for it.
    MissingField(String),
    /// A text is given for this field, and the template does not have it.
    UnknownField(String),
    /// WeChat documents no type for this field's key (`first`, `remark`): its text is dropped on
    /// delivery without an error.
    UntypedField(String),
    /// The text for this field does not fit.
    InvalidText(String, FieldTextError),
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateFault::NoTemplate(id) => write!(f, "the account has no template {id}"),
            TemplateFault::MissingField(key) => write!(f, "nothing is said in the field {key}"),
            TemplateFault::UnknownField(key) => write!(f, "the template has no field {key}"),
            TemplateFault::UntypedField(key) => {
                write!(f, "WeChat drops what is said in the field {key}")
            }
            TemplateFault::InvalidText(key, error) => {
                write!(f, "the text of the field {key} does not fit: {error}")
            }
        }
    }
}

impl Template {
    /// Keys of the fields, in the order of the card.
    pub fn keys(&self) -> Vec<&str> {
        let parts = self.content.split("{{").skip(1);
        let inner = parts.filter_map(|part| part.split_once("}}").map(|(inner, _)| inner.trim()));
        inner.filter_map(|inner| inner.strip_suffix(".DATA")).collect()
    }

    /// Faults of a message with exactly these fields.
    pub fn check_keys<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Vec<TemplateFault> {
        let keys_given: Vec<&str> = keys.into_iter().collect();
        let template_keys = self.keys();
        let missing = template_keys.iter().filter(|key| !keys_given.contains(key));
        let unknown = keys_given.iter().filter(|key| !template_keys.contains(key));
        let untyped = template_keys
            .iter()
            .filter(|key| keys_given.contains(key) && FieldType::from_key(key).is_none());
        missing
            .map(|key| TemplateFault::MissingField((*key).to_owned()))
            .chain(unknown.map(|key| TemplateFault::UnknownField((*key).to_owned())))
            .chain(untyped.map(|key| TemplateFault::UntypedField((*key).to_owned())))
            .collect()
    }
}

/// Faults of a binding, checked against the account's templates: at the start, and for an operator
/// after set-up.
pub fn check_binding<'a>(
    templates: &[Template],
    template_id: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Vec<TemplateFault> {
    match templates.iter().find(|template| template.id == template_id) {
        Some(template) => template.check_keys(keys),
        None => vec![TemplateFault::NoTemplate(template_id.to_owned())],
    }
}

/// Faults of these texts, each checked against the type of its field, just before sending. Fields
/// of unknown types are left to WeChat.
pub fn check_texts(fields: &[(String, String)]) -> Vec<TemplateFault> {
    let faults = fields.iter().filter_map(|(key, text)| {
        let error = FieldType::from_key(key)?.check(text).err()?;
        Some(TemplateFault::InvalidText(key.clone(), error))
    });
    faults.collect()
}

#[derive(Deserialize)]
struct ListTemplatesResponse {
    template_list: Vec<Template>,
}

impl Client {
    /// `template/get_all_private_template`: the account's templates.
    pub async fn list_templates(&self, token: &AccessToken) -> Result<Vec<Template>, CallError> {
        let answer: ListTemplatesResponse = self
            .call(ApiRequest {
                api: Api::ListTemplates,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: None,
                secrets: &[token.expose()],
            })
            .await?;
        Ok(answer.template_list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called() -> Template {
        Template {
            id: "T".into(),
            title: "叫号通知".into(),
            content: "门店：{{thing1.DATA}}\n号码：{{ character_string2.DATA }}\n时间：{{time4.DATA}}\n{{broken".into(),
        }
    }

    #[test]
    fn the_keys_are_read_from_the_content() {
        assert_eq!(called().keys(), ["thing1", "character_string2", "time4"]);
        assert!(Template { content: "没有".into(), ..called() }.keys().is_empty());
    }

    #[test]
    fn a_binding_has_exactly_the_fields_of_its_template() {
        let all = [called()];
        let check = |id: &str, keys: &[&str]| check_binding(&all, id, keys.iter().copied());
        assert_eq!(check("T", &["time4", "thing1", "character_string2"]), []);
        let faults = check("T", &["thing1", "character_string2", "thing9"]);
        assert_eq!(
            faults,
            [
                TemplateFault::MissingField("time4".into()),
                TemplateFault::UnknownField("thing9".into())
            ]
        );
        assert_eq!(check("gone", &["thing1"]), [TemplateFault::NoTemplate("gone".into())]);
        let old = Template { content: "{{first.DATA}}\n{{thing1.DATA}}".into(), ..called() };
        assert_eq!(
            old.check_keys(["first", "thing1"]),
            [TemplateFault::UntypedField("first".into())]
        );
    }

    #[test]
    fn a_fault_names_field_and_reason_and_never_the_text() {
        let fields = [
            ("thing1".to_owned(), "张三的\n私事".to_owned()),
            ("character_string2".to_owned(), "A012".to_owned()),
            ("first".to_owned(), "\n".to_owned()),
        ];
        let faults = check_texts(&fields);
        assert_eq!(
            faults,
            [TemplateFault::InvalidText("thing1".into(), FieldTextError::ControlCharacter)]
        );
        let text = format!("{} {:?}", faults[0], faults[0]);
        assert!(text.contains("thing1") && !text.contains("张三"), "{text}");
    }
}
