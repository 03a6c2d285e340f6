//! Settings as one file, with the same sections as in the configuration.

use super::documents::SettingsDocuments;
use paihao_chassis::config::{ConfigError, Layers};
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that the book holds, without what WeChat must not lose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = paihao_contracts::settings::optional)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// What the accounts say, by name.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountSetup>,
    /// The sites, by id.
    #[serde(default)]
    pub sites: BTreeMap<String, SiteSetup>,
}

impl SettingsFile {
    /// Collects the documents that are not retired.
    pub fn from_documents(documents: &SettingsDocuments) -> SettingsFile {
        let accounts = documents.accounts.iter();
        let accounts = accounts.filter_map(|(id, known)| Some((id.clone(), known.setup.clone()?)));
        let sites = documents.sites.iter();
        let sites = sites.filter_map(|(id, known)| Some((id.clone(), known.setup.clone()?)));
        SettingsFile { accounts: accounts.collect(), sites: sites.collect() }
    }

    /// Returns the file as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("text, numbers and tables with string keys have a TOML form")
    }
}

/// Parses a file; an error names every key that is wrong.
pub fn parse(text: &str, is_toml: bool) -> Result<SettingsFile, ConfigError> {
    if is_toml {
        Layers::default().text("in the file", text).read()
    } else {
        Layers::default().json("in the file", text).read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE_FILE: &str = "
        [accounts.shop]
        [sites.hall]
        account = 'shop'
        name = '城南大厅'
        dates = ['2027-02-06..2027-02-12 closed']
        [sites.hall.queues.cash]
        name = '存取款'
        prefix = 'A'
        hours = ['mon-fri 09:00-17:00']
        [sites.hall.counters.1]
        name = '1号窗口'
        queues = ['cash']
        [sites.hall.wording.called]
        news = '请到{counter}'
    ";

    #[test]
    fn a_file_comes_back_the_same_in_both_forms() {
        let book = parse(SAMPLE_FILE, true).unwrap();
        assert_eq!(book.sites["hall"].queues["cash"].minutes, 5);
        assert_eq!(parse(&book.to_toml(), true).unwrap(), book);
        assert_eq!(parse(&serde_json::to_string(&book).unwrap(), false).unwrap(), book);
    }

    #[test]
    fn the_manuals_example_is_sound() {
        use crate::settings::validate;
        use paihao_chassis::config::ConfigProblems;
        let manual = include_str!("../../../../docs/guide/settings.md");
        let example = manual.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let book = parse(example, true).unwrap();
        let mut problems = ConfigProblems::new();
        for (id, account) in &book.accounts {
            paihao_notice_text::check::account(&format!("accounts.{id}"), account, &mut problems);
        }
        for (id, site) in &book.sites {
            validate::validate_site(
                &format!("sites.{id}"),
                id,
                site,
                book.accounts.keys(),
                &mut problems,
            );
        }
        assert_eq!(problems.into_result(), Ok(()));
        assert!(!book.sites.is_empty());
    }

    #[test]
    fn a_wrong_key_is_named_with_the_one_that_was_meant() {
        let told = parse(&SAMPLE_FILE.replace("hours", "huors"), true).unwrap_err().to_string();
        assert!(told.contains("sites.hall.queues.cash.huors") && told.contains("hours"), "{told}");
        let told = parse(r#"{"sites": {"hall": {"account": "shop"}}}"#, false).unwrap_err();
        assert!(told.to_string().contains("sites.hall.name"), "{told}");
        assert!(parse("{", false).is_err() && parse("[", true).is_err());
    }
}
