//! Settings as one file, with the same sections as in the configuration.

use super::documents::SettingsDocuments;
use paihao_chassis::config::{ConfigError, Layers};
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::site_logo::SiteLogo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// File with all settings of sites and accounts, without credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = paihao_contracts::settings::optional)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// Settings of the accounts, by name.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountSetup>,
    /// Settings of the sites, by id.
    #[serde(default)]
    pub sites: BTreeMap<String, SiteSetup>,
    /// Logos of sites, by the site's id.
    #[serde(default)]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logos: BTreeMap<String, SiteLogo>,
}

impl SettingsFile {
    /// Collects the documents that are not retired.
    pub fn from_documents(documents: &SettingsDocuments) -> SettingsFile {
        // The settings of an account that is gone could not be imported.
        let is_retired = |id: &String| {
            documents.credentials.get(id).is_some_and(|document| document.setup.is_none())
        };
        let accounts = documents.accounts.iter();
        let sites = documents.sites.iter();
        SettingsFile {
            accounts: accounts
                .filter(|(id, _)| !is_retired(id))
                .filter_map(|(id, document)| Some((id.clone(), document.setup.clone()?)))
                .collect(),
            sites: sites
                .filter_map(|(id, document)| Some((id.clone(), document.setup.clone()?)))
                .collect(),
            logos: documents
                .logos
                .iter()
                .filter(|(id, _)| documents.site(id).is_some())
                .filter_map(|(id, document)| Some((id.clone(), document.setup.clone()?)))
                .collect(),
        }
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
        [logos.hall]
        png = 'iVBORw0KGgo='
    ";

    #[test]
    fn a_file_comes_back_the_same_in_both_forms() {
        let file = parse(SAMPLE_FILE, true).unwrap();
        assert_eq!(file.sites["hall"].queues["cash"].minutes, 5);
        assert_eq!(parse(&file.to_toml(), true).unwrap(), file);
        assert_eq!(parse(&serde_json::to_string(&file).unwrap(), false).unwrap(), file);
    }

    #[test]
    fn the_manuals_example_is_sound() {
        use crate::settings::{AccountLimits, validate};
        use paihao_chassis::config::ConfigProblems;
        let manual = include_str!("../../../../docs/guide/settings.md");
        let example = manual.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let file = parse(example, true).unwrap();
        let mut problems = ConfigProblems::new();
        for (id, account) in &file.accounts {
            let limits = AccountLimits::default();
            let key = format!("accounts.{id}");
            validate::validate_account(&key, account, &limits, &mut problems);
        }
        for (id, site) in &file.sites {
            validate::validate_site(
                &format!("sites.{id}"),
                id,
                site,
                file.accounts.keys(),
                &mut problems,
            );
        }
        assert_eq!(problems.into_result(), Ok(()));
        assert!(!file.sites.is_empty());
    }

    #[test]
    fn a_wrong_key_is_named_with_the_one_that_was_meant() {
        let error = parse(&SAMPLE_FILE.replace("hours", "huors"), true).unwrap_err().to_string();
        assert!(
            error.contains("sites.hall.queues.cash.huors") && error.contains("hours"),
            "{error}"
        );
        let error = parse(r#"{"sites": {"hall": {"account": "shop"}}}"#, false).unwrap_err();
        assert!(error.to_string().contains("sites.hall.name"), "{error}");
        assert!(parse("{", false).is_err() && parse("[", true).is_err());
    }
}
