//! Templates of the account, and checks of bindings and messages against them.

use super::fields::{FieldTextError, FieldType};
use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::AccessToken;
use serde::Deserialize;
use std::collections::BTreeMap;
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
    /// Values that a field takes, by its key, where only these are taken and WeChat lists them.
    #[serde(skip)]
    pub values: BTreeMap<String, Vec<String>>,
}

/// A field of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateField {
    /// Key by which messages refer to it: `character_string2`.
    pub key: String,
    /// Words before it on the card: `排队号码`; empty if there are none.
    pub label: String,
    /// Values that it takes, if WeChat lists them.
    pub values: Vec<String>,
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
    /// Fields with their labels, in the order of the card.
    pub fn fields(&self) -> Vec<TemplateField> {
        let field = |key: &str| TemplateField {
            key: key.to_owned(),
            label: self.label(key).unwrap_or_default(),
            values: self.values.get(key).cloned().unwrap_or_default(),
        };
        self.keys().into_iter().map(field).collect()
    }

    /// Label of a field; `None` if nothing stands before it.
    pub fn label(&self, key: &str) -> Option<String> {
        let line = self.content.lines().find(|line| keys_of(line).contains(&key))?;
        let before = line.split("{{").next().unwrap_or_default();
        let label = before.trim().trim_end_matches(['：', ':']).trim();
        (!label.is_empty()).then(|| label.to_owned())
    }

    /// Keys of the fields, in the order of the card.
    pub fn keys(&self) -> Vec<&str> {
        keys_of(&self.content)
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

fn keys_of(content: &str) -> Vec<&str> {
    let parts = content.split("{{").skip(1);
    let inner = parts.filter_map(|part| part.split_once("}}").map(|(inner, _)| inner.trim()));
    inner.filter_map(|inner| inner.strip_suffix(".DATA")).collect()
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

/// Answer of `wxaapi/newtmpl/gettemplate`.
#[derive(Deserialize)]
struct ListSubscriptionTemplatesResponse {
    #[serde(default)]
    data: Vec<SubscriptionTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionTemplate {
    pri_tmpl_id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    keyword_enum_value_list: Option<Vec<ListedValues>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedValues {
    #[serde(default)]
    keyword_code: String,
    #[serde(default)]
    enum_value_list: Vec<String>,
}

impl From<SubscriptionTemplate> for Template {
    fn from(listed: SubscriptionTemplate) -> Template {
        let values = listed.keyword_enum_value_list.unwrap_or_default().into_iter();
        let values = values.filter(|field| !field.enum_value_list.is_empty()).map(|field| {
            let key = field.keyword_code.trim_end_matches(".DATA").to_owned();
            (key, field.enum_value_list)
        });
        Template {
            id: listed.pri_tmpl_id,
            title: listed.title,
            content: listed.content,
            values: values.collect(),
        }
    }
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

    /// `wxaapi/newtmpl/gettemplate`: the account's templates of subscription notices.
    pub async fn list_subscription_templates(
        &self,
        token: &AccessToken,
    ) -> Result<Vec<Template>, CallError> {
        let answer: ListSubscriptionTemplatesResponse = self
            .call(ApiRequest {
                api: Api::ListSubscriptionTemplates,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: None,
                secrets: &[token.expose()],
            })
            .await?;
        Ok(answer.data.into_iter().map(Template::from).collect())
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
            values: BTreeMap::new(),
        }
    }

    #[test]
    fn the_keys_are_read_from_the_content() {
        assert_eq!(called().keys(), ["thing1", "character_string2", "time4"]);
        assert!(Template { content: "没有".into(), ..called() }.keys().is_empty());
    }

    #[test]
    fn a_field_has_the_label_before_it() {
        let labels = called().fields().into_iter().map(|field| (field.key, field.label));
        let expected = [("thing1", "门店"), ("character_string2", "号码"), ("time4", "时间")];
        let expected = expected.map(|(key, label)| (key.to_owned(), label.to_owned()));
        assert_eq!(labels.collect::<Vec<_>>(), expected);
        let old = Template { content: "{{first.DATA}}\n".into(), ..called() };
        assert_eq!(old.label("first"), None);
    }

    #[test]
    fn subscription_templates_are_read_with_their_listed_values() {
        let answer = r#"{"errcode":0,"errmsg":"ok","data":[{"priTmplId":"P","title":"叫号提醒",
            "content":"号码:{{character_string1.DATA}}\n状态:{{enum2.DATA}}\n","example":"","type":2,
            "keywordEnumValueList":[{"keywordCode":"enum2.DATA","enumValueList":["叫号中"]}]},
            {"priTmplId":"Q"}]}"#;
        let answer: ListSubscriptionTemplatesResponse = serde_json::from_str(answer).unwrap();
        let templates: Vec<Template> = answer.data.into_iter().map(Template::from).collect();
        let fields = templates[0].fields();
        assert_eq!(fields[0].label, "号码");
        assert_eq!(fields[1].values, ["叫号中"]);
        assert!(templates[1].fields().is_empty());
        let none: ListSubscriptionTemplatesResponse = serde_json::from_str("{}").unwrap();
        assert!(none.data.is_empty());
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
