//! The account's own templates, and what a binding or a message has wrong against them.

use super::fields::{Kind, Misfit};
use crate::api::Api;
use crate::client::{Ask, Client};
use crate::codes::Place;
use crate::error::CallError;
use crate::secret::AccessToken;
use serde::Deserialize;
use std::fmt;

/// A template as the account has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// What a message names.
    #[serde(rename = "template_id")]
    pub id: String,
    /// The head of the card.
    #[serde(default)]
    pub title: String,
    /// The lines of the card: `排队号码：{{character_string2.DATA}}`.
    #[serde(default)]
    pub content: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The account has no such template: deleted, or another account's.
    NoTemplate(String),
    /// The template has this field, and nothing is said in it.
    Missing(String),
    /// Something is said in this field, and the template does not have it.
    Unknown(String),
    /// This field's key is of a type that WeChat does not document (`first`, `remark`): what is
    /// said in it is dropped on delivery, without a word.
    Untyped(String),
    /// What is said in this field does not fit.
    Misfit(String, Misfit),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoTemplate(id) => write!(f, "the account has no template {id}"),
            Fault::Missing(key) => write!(f, "nothing is said in the field {key}"),
            Fault::Unknown(key) => write!(f, "the template has no field {key}"),
            Fault::Untyped(key) => write!(f, "WeChat drops what is said in the field {key}"),
            Fault::Misfit(key, why) => write!(f, "the text of the field {key} does not fit: {why}"),
        }
    }
}

impl Template {
    /// The keys of its fields, in the order of the card.
    pub fn keys(&self) -> Vec<&str> {
        let parts = self.content.split("{{").skip(1);
        let inner = parts.filter_map(|part| part.split_once("}}").map(|(inner, _)| inner.trim()));
        inner.filter_map(|inner| inner.strip_suffix(".DATA")).collect()
    }

    /// What is wrong with saying something in exactly these fields.
    pub fn check_keys<'a>(&self, said: impl IntoIterator<Item = &'a str>) -> Vec<Fault> {
        let said: Vec<&str> = said.into_iter().collect();
        let own = self.keys();
        let missing = own.iter().filter(|key| !said.contains(key));
        let unknown = said.iter().filter(|key| !own.contains(key));
        let untyped = own.iter().filter(|key| said.contains(key) && Kind::of(key).is_none());
        missing
            .map(|key| Fault::Missing((*key).to_owned()))
            .chain(unknown.map(|key| Fault::Unknown((*key).to_owned())))
            .chain(untyped.map(|key| Fault::Untyped((*key).to_owned())))
            .collect()
    }
}

/// What is wrong with a binding, held against the account's templates: for the start, and for an
/// operator who set it up.
pub fn check_binding<'a>(
    templates: &[Template],
    template_id: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Vec<Fault> {
    match templates.iter().find(|template| template.id == template_id) {
        Some(template) => template.check_keys(keys),
        None => vec![Fault::NoTemplate(template_id.to_owned())],
    }
}

/// What is wrong with these texts, each held against its field's type: for just before sending.
/// Fields of types that we do not know are left to WeChat.
pub fn check_texts(fields: &[(String, String)]) -> Vec<Fault> {
    let held = fields.iter().filter_map(|(key, text)| {
        let why = Kind::of(key)?.check(text).err()?;
        Some(Fault::Misfit(key.clone(), why))
    });
    held.collect()
}

#[derive(Deserialize)]
struct Answer {
    template_list: Vec<Template>,
}

impl Client {
    /// `template/get_all_private_template`: the account's templates.
    pub async fn list_templates(&self, token: &AccessToken) -> Result<Vec<Template>, CallError> {
        let answer: Answer = self
            .ask(Ask {
                api: Api::ListTemplates,
                place: Place::Call,
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
    fn the_keys_stand_in_the_content() {
        assert_eq!(called().keys(), ["thing1", "character_string2", "time4"]);
        assert!(Template { content: "没有".into(), ..called() }.keys().is_empty());
    }

    #[test]
    fn a_binding_says_something_in_every_field_and_in_no_other() {
        let all = [called()];
        let check = |id: &str, keys: &[&str]| check_binding(&all, id, keys.iter().copied());
        assert_eq!(check("T", &["time4", "thing1", "character_string2"]), []);
        let faults = check("T", &["thing1", "character_string2", "thing9"]);
        assert_eq!(faults, [Fault::Missing("time4".into()), Fault::Unknown("thing9".into())]);
        assert_eq!(check("gone", &["thing1"]), [Fault::NoTemplate("gone".into())]);
        let old = Template { content: "{{first.DATA}}\n{{thing1.DATA}}".into(), ..called() };
        assert_eq!(old.check_keys(["first", "thing1"]), [Fault::Untyped("first".into())]);
    }

    #[test]
    fn a_fault_says_where_and_why_and_never_what() {
        let fields = [
            ("thing1".to_owned(), "张三的\n私事".to_owned()),
            ("character_string2".to_owned(), "A012".to_owned()),
            ("first".to_owned(), "\n".to_owned()),
        ];
        let faults = check_texts(&fields);
        assert_eq!(faults, [Fault::Misfit("thing1".into(), Misfit::Control)]);
        let told = format!("{} {:?}", faults[0], faults[0]);
        assert!(told.contains("thing1") && !told.contains("张三"), "{told}");
    }
}
