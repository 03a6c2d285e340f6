//! Settings documents: the newest one of every site and account, from the configuration and the
//! settings log, and the changes that led to them.

use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::settings_log::{IdempotencyRecord, SettingsEntry, SettingsEvent};
use paihao_ledger::{InvalidSubject, Position, StoredEntry, Subject};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Changes that are kept in memory; older ones are in the ledger only.
const MAX_RETAINED_CHANGES: usize = 10_000;

/// Documents of the configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfiguredDocuments {
    /// Its sites, by id.
    pub sites: BTreeMap<String, SiteSetup>,
    /// Its accounts, by name.
    pub accounts: BTreeMap<String, AccountSetup>,
}

/// What a document is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A site.
    Site,
    /// What an account says.
    Account,
}

impl DocumentKind {
    /// Returns the subject of the documents of one site or account in the settings log.
    pub fn subject(self, id: &str) -> Result<Subject, InvalidSubject> {
        match self {
            DocumentKind::Site => Subject::new(&["site", id]),
            DocumentKind::Account => Subject::new(&["account", id]),
        }
    }
}

/// Newest document of a site or an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsDocument<T> {
    /// Its content; `None` if it was retired.
    pub setup: Option<T>,
    /// Position of its newest entry in the settings log; [`Position::START`] if only the
    /// configuration has it.
    pub revision: Position,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SettingsChange {
    /// The document's revision after it.
    pub revision: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Who.
    pub by: String,
    /// Of a site, or an account.
    pub of: DocumentKind,
    /// Its id.
    pub id: String,
    /// What was done with it.
    pub did: ChangeKind,
    /// Every value that is another one now.
    pub changed: Vec<ValueDifference>,
    /// The request it came with.
    #[serde(skip)]
    pub idempotency: Option<IdempotencyRecord>,
}

/// What was done with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChangeKind {
    Created,
    Changed,
    Retired,
}

/// A value that became another one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ValueDifference {
    /// Where: `queues.cash.minutes`.
    pub key: String,
    /// What stood there; `null` for nothing.
    pub before: Value,
    /// What stands there; `null` for nothing.
    pub after: Value,
}

/// All documents, as far as the settings log has been read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SettingsDocuments {
    /// The sites, by id; retired ones too.
    pub sites: BTreeMap<String, Arc<SettingsDocument<SiteSetup>>>,
    /// The accounts, by name.
    pub accounts: BTreeMap<String, Arc<SettingsDocument<AccountSetup>>>,
    /// The changes, oldest first.
    pub changes: Vec<Arc<SettingsChange>>,
    /// Position of the newest entry that is in them.
    pub position: Position,
    /// Subjects with an entry that only a newer program can read.
    pub unreadable: Vec<Subject>,
}

impl SettingsDocuments {
    /// Returns the documents of the configuration.
    pub fn from_configuration(base: &ConfiguredDocuments) -> SettingsDocuments {
        fn laid<T: Clone>(
            base: &BTreeMap<String, T>,
        ) -> BTreeMap<String, Arc<SettingsDocument<T>>> {
            let document = |setup: &T| SettingsDocument {
                setup: Some(setup.clone()),
                revision: Position::START,
            };
            base.iter().map(|(id, setup)| (id.clone(), Arc::new(document(setup)))).collect()
        }
        let (sites, accounts) = (laid(&base.sites), laid(&base.accounts));
        SettingsDocuments { sites, accounts, ..SettingsDocuments::default() }
    }

    /// Returns a site that is not retired.
    pub fn site(&self, id: &str) -> Option<&SiteSetup> {
        self.sites.get(id)?.setup.as_ref()
    }

    /// Returns the position of the newest entry of a document; [`Position::START`] if it has none.
    pub fn revision(&self, of: DocumentKind, id: &str) -> Position {
        let revision = match of {
            DocumentKind::Site => self.sites.get(id).map(|document| document.revision),
            DocumentKind::Account => self.accounts.get(id).map(|document| document.revision),
        };
        revision.unwrap_or(Position::START)
    }

    /// Returns the change that the request of this id made, if it came before.
    pub fn change_by_request_id(&self, wish: &str) -> Option<&Arc<SettingsChange>> {
        let same = |change: &&Arc<SettingsChange>| {
            change.idempotency.as_ref().is_some_and(|own| own.id == wish)
        };
        self.changes.iter().rev().find(same)
    }

    /// Applies an entry of the log. Returns whether it is about a site or an account.
    pub fn apply(&mut self, recorded: &StoredEntry) -> bool {
        self.position = recorded.position;
        let first = recorded.subject.parts().next().unwrap_or_default();
        let ours = recorded.subject.parts().count() == 2 && ["site", "account"].contains(&first);
        let entry = SettingsEntry::decode(&recorded.entry.payload);
        let Some(SettingsEntry { at, event, .. }) = entry else {
            if ours {
                let subject = recorded.subject.as_str();
                tracing::error!(
                    subject,
                    "a newer program wrote a settings document; the old one stays in force"
                );
                self.unreadable.push(recorded.subject.clone());
            }
            return ours;
        };
        let revision = recorded.position;
        let (of, id, by, idempotency, (did, changed)) = match event {
            SettingsEvent::SiteSet { site, by, setup, idempotency } => {
                let changed = replace_document(&mut self.sites, &site, Some(*setup), revision);
                (DocumentKind::Site, site, by, idempotency, changed)
            }
            SettingsEvent::SiteRetired { site, by, idempotency } => {
                let changed = replace_document(&mut self.sites, &site, None, revision);
                (DocumentKind::Site, site, by, idempotency, changed)
            }
            SettingsEvent::AccountSet { account, by, setup, idempotency } => {
                let changed =
                    replace_document(&mut self.accounts, &account, Some(*setup), revision);
                (DocumentKind::Account, account, by, idempotency, changed)
            }
            _ => return false,
        };
        let change =
            SettingsChange { revision: revision.0, at, by, of, id, did, changed, idempotency };
        self.changes.push(Arc::new(change));
        if self.changes.len() > MAX_RETAINED_CHANGES {
            self.changes.remove(0);
        }
        true
    }
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
    let mut found = Vec::new();
    collect_differences("", before, after, &mut found);
    found
}

fn collect_differences(key: &str, before: &Value, after: &Value, found: &mut Vec<ValueDifference>) {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let of = |map: &serde_json::Map<String, Value>| {
                map.get(name).cloned().unwrap_or(Value::Null)
            };
            collect_differences(&key, &of(old), &of(new), found);
        }
    } else if before != after {
        let (before, after) = (before.clone(), after.clone());
        found.push(ValueDifference { key: key.to_owned(), before, after });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_by_where_it_stands() {
        let before = json!({"name": "a", "queues": {"x": {"minutes": 5}, "y": {"minutes": 1}}});
        let after = json!({"name": "a", "queues": {"x": {"minutes": 6}, "z": {"minutes": 1}}});
        let found = differences(&before, &after);
        let keys: Vec<_> = found.iter().map(|difference| &*difference.key).collect();
        assert_eq!(keys, ["queues.x.minutes", "queues.y", "queues.z"]);
        assert_eq!((&found[0].before, &found[0].after), (&json!(5), &json!(6)));
        assert_eq!(found[1].after, Value::Null);
    }
}
