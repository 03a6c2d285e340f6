//! Settings documents: the newest one of every site and account, from the configuration and the
//! settings log, and the changes that led to them.

use super::credentials;
pub use super::value_difference::ValueDifference;
use paihao_contracts::account_credentials::AccountCredentials;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::settings_log::{IdempotencyRecord, SettingsEntry, SettingsEvent};
use paihao_contracts::site_logo::SiteLogo;
use paihao_ledger::{InvalidSubject, Position, StoredEntry, Subject};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest number of changes in memory; older ones are in the ledger only.
const MAX_RETAINED_CHANGES: usize = 10_000;

/// Documents of the configuration, shared by all who have them.
#[derive(Debug, Clone, Default)]
pub struct ConfiguredDocuments {
    /// Sites, by id.
    pub sites: BTreeMap<String, Arc<SettingsDocument<SiteSetup>>>,
    /// Accounts, by name.
    pub accounts: BTreeMap<String, Arc<SettingsDocument<AccountSetup>>>,
}

impl ConfiguredDocuments {
    /// Creates the documents of sites by id, and of accounts by name.
    pub fn new(
        sites: BTreeMap<String, SiteSetup>,
        accounts: BTreeMap<String, AccountSetup>,
    ) -> ConfiguredDocuments {
        fn documents<T>(setups: BTreeMap<String, T>) -> BTreeMap<String, Arc<SettingsDocument<T>>> {
            let document =
                |setup| SettingsDocument { setup: Some(setup), revision: Position::START };
            setups.into_iter().map(|(id, setup)| (id, Arc::new(document(setup)))).collect()
        }
        ConfiguredDocuments { sites: documents(sites), accounts: documents(accounts) }
    }
}

/// Kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// Settings of a site.
    Site,
    /// Settings of an account.
    Account,
    /// Credentials of an account.
    Credentials,
    /// Logo of a site.
    Logo,
}

impl DocumentKind {
    /// Returns the subject of the documents of one site or account in the settings log.
    pub fn subject(self, id: &str) -> Result<Subject, InvalidSubject> {
        match self {
            DocumentKind::Site => Subject::new(&["site", id]),
            DocumentKind::Account => Subject::new(&["account", id]),
            DocumentKind::Credentials => Subject::new(&["credentials", id]),
            DocumentKind::Logo => Subject::new(&["logo", id]),
        }
    }
}

/// Newest document of a site or an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsDocument<T> {
    /// Content; `None` if it was retired.
    pub setup: Option<T>,
    /// Position of the newest entry in the settings log; [`Position::START`] if only the
    /// configuration has it.
    pub revision: Position,
}

/// Change of a document.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SettingsChange {
    /// Revision of the document after the change.
    pub revision: u64,
    /// Time in Unix milliseconds.
    pub at: i64,
    /// Author.
    pub by: String,
    /// Approximate origin of the request, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Kind of the document.
    pub of: DocumentKind,
    /// Id of the site or account.
    pub id: String,
    /// Kind of the change.
    pub did: ChangeKind,
    /// Every value that has changed.
    pub changed: Vec<ValueDifference>,
    /// Idempotency record of the request.
    #[serde(skip)]
    pub idempotency: Option<IdempotencyRecord>,
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and the schema stays a plain list of values")]
pub enum ChangeKind {
    Created,
    Changed,
    Retired,
}

/// All documents, as far as the settings log has been read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SettingsDocuments {
    /// Sites, by id; retired ones too.
    pub sites: BTreeMap<String, Arc<SettingsDocument<SiteSetup>>>,
    /// Accounts, by name.
    pub accounts: BTreeMap<String, Arc<SettingsDocument<AccountSetup>>>,
    /// Credentials of the accounts that the log has added, by name; retired ones too.
    pub credentials: BTreeMap<String, Arc<SettingsDocument<AccountCredentials>>>,
    /// Logos of sites, by id; removed ones too.
    pub logos: BTreeMap<String, Arc<SettingsDocument<SiteLogo>>>,
    /// Names of the accounts that the log has added, in the order in which they first were.
    pub(super) account_order: Vec<String>,
    /// Last name of every queue that a site has or has had, by site and queue.
    queue_names: BTreeMap<String, Arc<BTreeMap<String, String>>>,
    /// Changes, oldest first.
    pub changes: Vec<Arc<SettingsChange>>,
    /// Position of the newest applied entry.
    pub position: Position,
    /// Subjects whose newest entry this program cannot read.
    pub unreadable: Vec<Subject>,
}

impl SettingsDocuments {
    /// Returns the documents of the configuration.
    pub fn from_configuration(base: &ConfiguredDocuments) -> SettingsDocuments {
        let mut documents = SettingsDocuments {
            sites: base.sites.clone(),
            accounts: base.accounts.clone(),
            ..SettingsDocuments::default()
        };
        for (id, document) in &base.sites {
            if let Some(setup) = &document.setup {
                documents.note_queue_names(id, setup);
            }
        }
        documents
    }

    /// Returns the last name of a queue that a site has or has had.
    pub fn queue_name(&self, site: &str, queue: &str) -> Option<&str> {
        self.queue_names.get(site)?.get(queue).map(String::as_str)
    }

    fn note_queue_names(&mut self, site: &str, setup: &SiteSetup) {
        let names = Arc::make_mut(self.queue_names.entry(site.to_owned()).or_default());
        names.extend(setup.queues.iter().map(|(id, queue)| (id.clone(), queue.name.clone())));
    }

    /// Returns a site that is not retired.
    pub fn site(&self, id: &str) -> Option<&SiteSetup> {
        self.sites.get(id)?.setup.as_ref()
    }

    /// Returns the logo of a site that has one.
    pub fn logo(&self, site: &str) -> Option<&SiteLogo> {
        self.logos.get(site)?.setup.as_ref()
    }

    /// Returns the accounts that the log has added and that are not retired, with the revisions of
    /// their credentials.
    pub fn added_accounts(
        &self,
    ) -> impl Iterator<Item = (&String, (Position, &AccountCredentials))> {
        self.credentials.iter().filter_map(|(name, document)| {
            Some((name, (document.revision, document.setup.as_ref()?)))
        })
    }

    /// Returns the settings of an account, the usual ones if none were set.
    pub fn account_setup(&self, name: &str) -> AccountSetup {
        let document = self.accounts.get(name);
        document.and_then(|document| document.setup.clone()).unwrap_or_default()
    }

    /// Returns the sites of an account that are not retired, by id.
    pub fn sites_of(&self, account: &str) -> BTreeMap<&str, &SiteSetup> {
        let sites = self.sites.iter();
        let setups = sites.filter_map(|(id, document)| Some((&**id, document.setup.as_ref()?)));
        setups.filter(|(_, setup)| setup.account == account).collect()
    }

    /// Puts sites in the place of those of the same ids, as they will be.
    pub fn expect_sites(&mut self, sites: &BTreeMap<String, SiteSetup>) {
        for (id, setup) in sites {
            let revision = self.revision(DocumentKind::Site, id);
            let document = SettingsDocument { setup: Some(setup.clone()), revision };
            self.sites.insert(id.clone(), Arc::new(document));
        }
    }

    /// Returns the position of the newest entry of a document; [`Position::START`] if it has none.
    pub fn revision(&self, kind: DocumentKind, id: &str) -> Position {
        let revision = match kind {
            DocumentKind::Site => self.sites.get(id).map(|document| document.revision),
            DocumentKind::Account => self.accounts.get(id).map(|document| document.revision),
            DocumentKind::Credentials => self.credentials.get(id).map(|document| document.revision),
            DocumentKind::Logo => self.logos.get(id).map(|document| document.revision),
        };
        revision.unwrap_or(Position::START)
    }

    /// Returns the change that the request with this id made, if there was one.
    pub fn change_by_request_id(&self, request_id: &str) -> Option<&Arc<SettingsChange>> {
        let is_of_request = |change: &&Arc<SettingsChange>| {
            change.idempotency.as_ref().is_some_and(|record| record.id == request_id)
        };
        self.changes.iter().rev().find(is_of_request)
    }

    /// Applies an entry of the log. Returns whether it is about a site or an account. A document
    /// that cannot be read leaves the previous one in force.
    pub fn apply(&mut self, stored: &StoredEntry) -> Result<bool, ReadError> {
        self.position = stored.position;
        let first = stored.subject.parts().next().unwrap_or_default();
        let is_document = stored.subject.parts().count() == 2
            && ["site", "account", "credentials", "logo"].contains(&first);
        self.unreadable.retain(|subject| *subject != stored.subject);
        let entry = envelope::decode(&stored.entry.payload);
        if entry.is_err() && is_document {
            self.unreadable.push(stored.subject.clone());
        }
        let SettingsEntry { at, from, event, .. } = entry?;
        let revision = stored.position;
        let (of, id, by, idempotency, (did, changed)) = match event {
            SettingsEvent::SiteSet { site, by, setup, idempotency } => {
                self.note_queue_names(&site, &setup);
                let change = replace_document(&mut self.sites, &site, Some(*setup), revision);
                (DocumentKind::Site, site, by, idempotency, change)
            }
            SettingsEvent::SiteRetired { site, by, idempotency } => {
                if let Some(logo) = self.logos.get_mut(&site) {
                    Arc::make_mut(logo).setup = None;
                }
                let change = replace_document(&mut self.sites, &site, None, revision);
                (DocumentKind::Site, site, by, idempotency, change)
            }
            SettingsEvent::AccountSet { account, by, setup, idempotency } => {
                let change = replace_document(&mut self.accounts, &account, Some(*setup), revision);
                (DocumentKind::Account, account, by, idempotency, change)
            }
            SettingsEvent::CredentialsSet { account, by, credentials, idempotency } => {
                let change = self.replace_credentials(&account, Some(*credentials), revision);
                (DocumentKind::Credentials, account, by, idempotency, change)
            }
            SettingsEvent::AccountRetired { account, by, idempotency } => {
                let change = self.replace_credentials(&account, None, revision);
                (DocumentKind::Credentials, account, by, idempotency, change)
            }
            SettingsEvent::LogoSet { site, by, logo, idempotency } => {
                let change = self.replace_logo(&site, Some(*logo), revision);
                (DocumentKind::Logo, site, by, idempotency, change)
            }
            SettingsEvent::LogoRemoved { site, by, idempotency } => {
                let change = self.replace_logo(&site, None, revision);
                (DocumentKind::Logo, site, by, idempotency, change)
            }
            SettingsEvent::CredentialsResealed { account, credentials } => {
                // The same credentials: no change of theirs.
                let document = SettingsDocument { setup: Some(*credentials), revision };
                self.credentials.insert(account, Arc::new(document));
                return Ok(true);
            }
            SettingsEvent::PermanentCodeCreated(_) => return Ok(false),
        };
        let change = SettingsChange {
            revision: revision.0,
            at,
            by,
            from,
            of,
            id,
            did,
            changed,
            idempotency,
        };
        self.changes.push(Arc::new(change));
        if self.changes.len() > MAX_RETAINED_CHANGES {
            self.changes.remove(0);
        }
        Ok(true)
    }
}

impl SettingsDocuments {
    fn replace_credentials(
        &mut self,
        account: &str,
        setup: Option<AccountCredentials>,
        revision: Position,
    ) -> (ChangeKind, Vec<ValueDifference>) {
        let document = self.credentials.get(account);
        let before = document.and_then(|document| document.setup.as_ref());
        let did = match (before, &setup) {
            (_, None) => ChangeKind::Retired,
            (None, Some(_)) => ChangeKind::Created,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        let changed = match did {
            ChangeKind::Created | ChangeKind::Changed => {
                credentials::differences(before, setup.as_ref())
            }
            ChangeKind::Retired => Vec::new(),
        };
        if !self.account_order.iter().any(|name| name == account) {
            self.account_order.push(account.to_owned());
        }
        let document = Arc::new(SettingsDocument { setup, revision });
        self.credentials.insert(account.to_owned(), document);
        (did, changed)
    }
}

impl SettingsDocuments {
    fn replace_logo(
        &mut self,
        site: &str,
        logo: Option<SiteLogo>,
        revision: Position,
    ) -> (ChangeKind, Vec<ValueDifference>) {
        let before = self.logo(site);
        let did = match (before, &logo) {
            (_, None) => ChangeKind::Retired,
            (None, Some(_)) => ChangeKind::Created,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        let changed = logo_differences(before, logo.as_ref());
        let document = Arc::new(SettingsDocument { setup: logo, revision });
        self.logos.insert(site.to_owned(), document);
        (did, changed)
    }
}

/// Returns what differs in a logo: how many bytes there are of it, and not the bytes.
pub(super) fn logo_differences(
    before: Option<&SiteLogo>,
    after: Option<&SiteLogo>,
) -> Vec<ValueDifference> {
    if before == after {
        return Vec::new();
    }
    let size = |logo: Option<&SiteLogo>| {
        logo.map_or(Value::Null, |logo| format!("PNG, {} B", logo.png.len() / 4 * 3).into())
    };
    vec![ValueDifference { key: "logo".to_owned(), before: size(before), after: size(after) }]
}

fn replace_document<T: Serialize>(
    documents: &mut BTreeMap<String, Arc<SettingsDocument<T>>>,
    id: &str,
    setup: Option<T>,
    revision: Position,
) -> (ChangeKind, Vec<ValueDifference>) {
    let before = documents.get(id).and_then(|document| document.setup.as_ref()).map(to_json);
    let after = setup.as_ref().map(to_json);
    let did = match (&before, &after) {
        (_, None) => ChangeKind::Retired,
        (None, Some(_)) => ChangeKind::Created,
        (Some(_), Some(_)) => ChangeKind::Changed,
    };
    let changed = match (before, after) {
        (Some(before), Some(after)) => differences(&before, &after),
        _ => Vec::new(),
    };
    documents.insert(id.to_owned(), Arc::new(SettingsDocument { setup, revision }));
    (did, changed)
}

/// Converts a document to JSON.
pub fn to_json<T: Serialize>(setup: &T) -> Value {
    serde_json::to_value(setup).expect("string keys only")
}

/// Returns every value that is different in the second document.
pub fn differences(before: &Value, after: &Value) -> Vec<ValueDifference> {
    let mut differences = Vec::new();
    collect_differences("", before, after, &mut differences);
    differences
}

fn collect_differences(
    key: &str,
    before: &Value,
    after: &Value,
    differences: &mut Vec<ValueDifference>,
) {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let value_in = |map: &serde_json::Map<String, Value>| {
                map.get(name).cloned().unwrap_or(Value::Null)
            };
            collect_differences(&key, &value_in(old), &value_in(new), differences);
        }
    } else if before != after {
        differences.push(ValueDifference {
            key: key.to_owned(),
            before: before.clone(),
            after: after.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_ledger::Entry;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_by_where_it_stands() {
        let before = json!({"name": "a", "queues": {"x": {"minutes": 5}, "y": {"minutes": 1}}});
        let after = json!({"name": "a", "queues": {"x": {"minutes": 6}, "z": {"minutes": 1}}});
        let differences = differences(&before, &after);
        let keys: Vec<_> = differences.iter().map(|difference| &*difference.key).collect();
        assert_eq!(keys, ["queues.x.minutes", "queues.y", "queues.z"]);
        assert_eq!((&differences[0].before, &differences[0].after), (&json!(5), &json!(6)));
        assert_eq!(differences[1].after, Value::Null);
    }

    fn stored(position: u64, queues: Value) -> StoredEntry {
        let setup = json!({"account": "shop", "name": "大厅", "queues": queues, "counters": {}});
        let event = SettingsEvent::SiteSet {
            site: "hall".to_owned(),
            by: "boss".to_owned(),
            setup: serde_json::from_value(setup).unwrap(),
            idempotency: None,
        };
        let payload = serde_json::to_vec(&SettingsEntry::new(0, event)).unwrap();
        StoredEntry {
            position: Position(position),
            subject: DocumentKind::Site.subject("hall").unwrap(),
            at_ms: 0,
            entry: Entry::new(payload),
        }
    }

    #[test]
    fn a_removed_queue_keeps_its_last_name() {
        let queue = |name: &str| json!({"name": name, "prefix": "A"});
        let mut documents = SettingsDocuments::default();
        for (position, queues) in [
            json!({"cash": queue("取款"), "loan": queue("贷款")}),
            json!({"cash": queue("存取款")}),
        ]
        .into_iter()
        .enumerate()
        {
            documents.apply(&stored(position as u64 + 1, queues)).unwrap();
        }
        assert_eq!(documents.queue_name("hall", "loan"), Some("贷款"));
        assert_eq!(documents.queue_name("hall", "cash"), Some("存取款"));
        assert_eq!(documents.queue_name("hall", "other"), None);
    }
}
