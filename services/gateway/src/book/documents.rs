//! The newest set-up of every site and account: what the configuration says, and on top of it what
//! the log of the book says; and what changed when, and by whom.

use paihao_contracts::book::{BookEntry, BookEvent, Wish};
use paihao_contracts::setup::{AccountSetup, SiteSetup};
use paihao_ledger::{InvalidSubject, Position, Recorded, Subject};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Changes that are kept in memory; older ones are in the ledger only.
const CHANGES: usize = 10_000;

/// What the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// Its sites, by id.
    pub sites: BTreeMap<String, SiteSetup>,
    /// Its accounts, by name.
    pub accounts: BTreeMap<String, AccountSetup>,
}

/// What a document is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// A site.
    Site,
    /// What an account says.
    Account,
}

impl Of {
    /// The subject under which the documents of one site or account stand in the book.
    pub fn subject(self, id: &str) -> Result<Subject, InvalidSubject> {
        match self {
            Of::Site => Subject::new(&["site", id]),
            Of::Account => Subject::new(&["account", id]),
        }
    }
}

/// The newest form of something, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<T> {
    /// The whole of it; `None` if it was retired.
    pub setup: Option<T>,
    /// Where its newest entry stands in the book; [`Position::START`] if the configuration alone
    /// speaks of it.
    pub revision: Position,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// The document's revision after it.
    pub revision: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Who.
    pub by: String,
    /// Of a site, or an account.
    pub of: Of,
    /// Its id.
    pub id: String,
    /// What was done with it.
    pub did: Did,
    /// Every value that is another one now.
    pub changed: Vec<Difference>,
    /// The request it came with.
    #[serde(skip)]
    pub wish: Option<Wish>,
}

/// What was done with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Did {
    Created,
    Changed,
    Retired,
}

/// A value that became another one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// Where: `queues.cash.minutes`.
    pub key: String,
    /// What stood there; `null` for nothing.
    pub before: Value,
    /// What stands there; `null` for nothing.
    pub after: Value,
}

/// The book as far as it has been read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// The sites, by id; retired ones too.
    pub sites: BTreeMap<String, Arc<Document<SiteSetup>>>,
    /// What the accounts say, by name.
    pub accounts: BTreeMap<String, Arc<Document<AccountSetup>>>,
    /// What changed, oldest first.
    pub changes: Vec<Arc<Change>>,
    /// The newest entry that is in it.
    pub read: Position,
    /// Subjects of which a newer program wrote what this one cannot read.
    pub unreadable: Vec<Subject>,
}

impl Documents {
    /// What the configuration says.
    pub fn of(base: &Base) -> Documents {
        fn laid<T: Clone>(base: &BTreeMap<String, T>) -> BTreeMap<String, Arc<Document<T>>> {
            let document =
                |setup: &T| Document { setup: Some(setup.clone()), revision: Position::START };
            base.iter().map(|(id, setup)| (id.clone(), Arc::new(document(setup)))).collect()
        }
        let (sites, accounts) = (laid(&base.sites), laid(&base.accounts));
        Documents { sites, accounts, ..Documents::default() }
    }

    /// A site that there is.
    pub fn site(&self, id: &str) -> Option<&SiteSetup> {
        self.sites.get(id)?.setup.as_ref()
    }

    /// Where the newest entry of a document stands; [`Position::START`] if it has none.
    pub fn revision(&self, of: Of, id: &str) -> Position {
        let revision = match of {
            Of::Site => self.sites.get(id).map(|document| document.revision),
            Of::Account => self.accounts.get(id).map(|document| document.revision),
        };
        revision.unwrap_or(Position::START)
    }

    /// The change that a request made before, if it came before.
    pub fn wished(&self, wish: &str) -> Option<&Arc<Change>> {
        let same = |change: &&Arc<Change>| change.wish.as_ref().is_some_and(|own| own.id == wish);
        self.changes.iter().rev().find(same)
    }

    /// Takes in an entry of the log. Whether it says anything of a site or an account.
    pub fn take_in(&mut self, recorded: &Recorded) -> bool {
        self.read = recorded.position;
        let first = recorded.subject.parts().next().unwrap_or_default();
        let ours = recorded.subject.parts().count() == 2 && ["site", "account"].contains(&first);
        let entry = BookEntry::decode(&recorded.entry.payload);
        let Some(BookEntry { at, event, .. }) = entry else {
            if ours {
                let subject = recorded.subject.as_str();
                tracing::error!(
                    subject,
                    "a newer program wrote to the book; the old set-up goes on"
                );
                self.unreadable.push(recorded.subject.clone());
            }
            return ours;
        };
        let revision = recorded.position;
        let (of, id, by, wish, (did, changed)) = match event {
            BookEvent::SiteSet { site, by, setup, wish } => {
                let changed = put(&mut self.sites, &site, Some(*setup), revision);
                (Of::Site, site, by, wish, changed)
            }
            BookEvent::SiteRetired { site, by, wish } => {
                let changed = put(&mut self.sites, &site, None, revision);
                (Of::Site, site, by, wish, changed)
            }
            BookEvent::AccountSet { account, by, setup, wish } => {
                let changed = put(&mut self.accounts, &account, Some(*setup), revision);
                (Of::Account, account, by, wish, changed)
            }
            _ => return false,
        };
        let change = Change { revision: revision.0, at, by, of, id, did, changed, wish };
        self.changes.push(Arc::new(change));
        if self.changes.len() > CHANGES {
            self.changes.remove(0);
        }
        true
    }
}

fn put<T: Serialize>(
    documents: &mut BTreeMap<String, Arc<Document<T>>>,
    id: &str,
    setup: Option<T>,
    revision: Position,
) -> (Did, Vec<Difference>) {
    let before = documents.get(id).and_then(|document| document.setup.as_ref()).map(json);
    let after = setup.as_ref().map(json);
    let did = match (&before, &after) {
        (_, None) => Did::Retired,
        (None, Some(_)) => Did::Created,
        (Some(_), Some(_)) => Did::Changed,
    };
    let changed = match (before, after) {
        (Some(before), Some(after)) => differences(&before, &after),
        _ => Vec::new(),
    };
    documents.insert(id.to_owned(), Arc::new(Document { setup, revision }));
    (did, changed)
}

/// A set-up as JSON.
pub fn json<T: Serialize>(setup: &T) -> Value {
    serde_json::to_value(setup).expect("string keys only")
}

/// Every value of the one that is another in the other.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    differ("", before, after, &mut found);
    found
}

fn differ(key: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let of = |map: &serde_json::Map<String, Value>| {
                map.get(name).cloned().unwrap_or(Value::Null)
            };
            differ(&key, &of(old), &of(new), found);
        }
    } else if before != after {
        let (before, after) = (before.clone(), after.clone());
        found.push(Difference { key: key.to_owned(), before, after });
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
