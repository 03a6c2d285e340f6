//! Takeover of settings and sessions into a rehearsal's ledger, and from there into the real one.
//!
//! Settings go both ways, but for what belongs to an account at WeChat ([`account_setup`]);
//! credentials, codes, tickets, people, notices and statistics go neither way. Staff and sessions
//! go into the rehearsal, so that whoever is logged in stays so, and none of them comes back but
//! the session that ends it, if its holder was a member before.

use super::account_setup;
use crate::stored_settings::{self, entries};
use anyhow::Context;
use futures::StreamExt;
use paihao_contracts::envelope;
use paihao_contracts::settings::AccountSetup;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::staff::{SessionHolder, StaffEntry, StaffEvent, StaffSession};
use paihao_contracts::streams::{Log, SETTINGS, STAFF, STAFF_SESSIONS};
use paihao_gateway::http::rehearsal::RehearsalEnding;
use paihao_gateway::settings::documents::{DocumentKind, SettingsDocuments};
use paihao_ledger::backup::BackupSource;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};

/// Author of the settings that a rehearsal begins with.
const AUTHOR: &str = "system";

/// Copies the logs of staff and of their sessions.
pub(super) async fn copy_staff(
    source: &dyn BackupSource,
    target: &dyn Ledger,
) -> anyhow::Result<()> {
    for log in [STAFF, STAFF_SESSIONS] {
        for StoredEntry { subject, entry, .. } in entries(source, &log).await? {
            target.append(&log, &subject, ExpectedPosition::Any, entry).await?;
        }
    }
    Ok(())
}

/// Document of a site or an account, with the subject of its log.
#[derive(Debug, Clone, PartialEq)]
struct Document {
    kind: DocumentKind,
    id: String,
    event: SettingsEvent,
}

/// Returns the documents of `from` that `to` does not have, or has otherwise. `change` makes the
/// settings of an account of those of `from`, and of those of `to` or the usual ones.
fn missing_documents(
    from: &SettingsDocuments,
    to: &SettingsDocuments,
    author: &str,
    change: impl Fn(AccountSetup, &AccountSetup) -> AccountSetup,
) -> Vec<Document> {
    let by = || author.to_owned();
    let accounts = from.accounts.iter().filter_map(|(name, document)| {
        let setup = change(document.setup.clone()?, &to.account_setup(name));
        let known = to.accounts.get(name).and_then(|document| document.setup.as_ref());
        let event = SettingsEvent::AccountSet {
            account: name.clone(),
            by: by(),
            setup: Box::new(setup.clone()),
            idempotency: None,
        };
        (known != Some(&setup)).then(|| (DocumentKind::Account, name.clone(), event))
    });
    let sites = from.sites.iter().filter_map(|(id, document)| {
        let setup = document.setup.clone()?;
        let event = SettingsEvent::SiteSet {
            site: id.clone(),
            by: by(),
            setup: Box::new(setup.clone()),
            idempotency: None,
        };
        (to.site(id) != Some(&setup)).then(|| (DocumentKind::Site, id.clone(), event))
    });
    let documents = accounts.chain(sites);
    documents.map(|(kind, id, event)| Document { kind, id, event }).collect()
}

/// Appends documents, each on the newest entry of its subject that `known` has.
async fn append(
    target: &dyn Ledger,
    known: &SettingsDocuments,
    documents: Vec<Document>,
    origin: Option<&str>,
    now_ms: i64,
) -> anyhow::Result<()> {
    for Document { kind, id, event } in documents {
        let expect = match known.revision(kind, &id) {
            Position::START => ExpectedPosition::Empty,
            position => ExpectedPosition::At(position),
        };
        let entry = SettingsEntry::new(now_ms, event).with_origin(origin.map(str::to_owned));
        let entry = Entry::new(entry.encode());
        target.append(&SETTINGS, &kind.subject(&id)?, expect, entry).await?;
    }
    Ok(())
}

/// Writes the settings that a rehearsal begins with. `sample` has the simulator's templates.
pub(super) async fn copy_settings(
    settings: &SettingsDocuments,
    sample: &AccountSetup,
    target: &dyn Ledger,
    now_ms: i64,
) -> anyhow::Result<()> {
    let none = SettingsDocuments::default();
    let rehearsed = |setup, _: &AccountSetup| account_setup::rehearsed(setup, sample);
    let documents = missing_documents(settings, &none, AUTHOR, rehearsed);
    append(target, &none, documents, None, now_ms).await
}

/// Writes what a rehearsal has set up into the real ledger. What is there already is not written
/// again, so that it can be repeated after a crash.
pub(super) async fn take_settings_over(
    rehearsal: &dyn BackupSource,
    real: &dyn Ledger,
    ending: &RehearsalEnding,
    now_ms: i64,
) -> anyhow::Result<()> {
    let rehearsed = stored_settings::read(rehearsal).await?;
    let known = documents_of_ledger(real).await?;
    let missing = missing_documents(&rehearsed, &known, &ending.author, account_setup::taken_over);
    append(real, &known, missing, ending.origin.as_deref(), now_ms).await
}

/// Lets a session go on in the real ledger, if its holder was a member before the rehearsal.
pub(super) async fn take_session_over(
    rehearsal: &dyn BackupSource,
    real: &dyn Ledger,
    session: Option<&str>,
) -> anyhow::Result<()> {
    let Some(id) = session else { return Ok(()) };
    let subject = Subject::new(&[id])?;
    if real.last(&STAFF_SESSIONS, &subject).await?.is_some() {
        return Ok(());
    }
    let sessions = entries(rehearsal, &STAFF_SESSIONS).await?;
    let Some(stored) = sessions.into_iter().rfind(|stored| stored.subject == subject) else {
        return Ok(());
    };
    let StaffSession { holder, .. } = envelope::decode(&stored.entry.payload)?;
    let SessionHolder::Member { id: holder } = holder else { return Ok(()) };
    if is_member(real, &holder).await? {
        real.append(&STAFF_SESSIONS, &subject, ExpectedPosition::Empty, stored.entry).await?;
    }
    Ok(())
}

async fn is_member(ledger: &dyn Ledger, id: &str) -> anyhow::Result<bool> {
    let mut is_member = false;
    for stored in read(ledger, &STAFF).await? {
        let entry: StaffEntry = envelope::decode(&stored.entry.payload)?;
        match entry.event {
            StaffEvent::Joined { member, .. } if member.id == id => is_member = true,
            StaffEvent::Removed { id: removed } if removed == id => is_member = false,
            _ => {}
        }
    }
    Ok(is_member)
}

async fn documents_of_ledger(ledger: &dyn Ledger) -> anyhow::Result<SettingsDocuments> {
    let mut documents = SettingsDocuments::default();
    for stored in read(ledger, &SETTINGS).await? {
        documents.apply(&stored).context("cannot read the settings")?;
    }
    Ok(documents)
}

/// Reads a log of a ledger that this process alone has.
async fn read(ledger: &dyn Ledger, log: &Log) -> anyhow::Result<Vec<StoredEntry>> {
    let head = ledger.head(log).await?;
    let mut items = ledger.follow(log, Position::START).await?;
    let mut entries: Vec<StoredEntry> = Vec::new();
    while entries.last().map_or(Position::START, |stored| stored.position) < head {
        match items.next().await {
            Some(LogItem::Entry(stored)) => entries.push(stored),
            Some(LogItem::Restarted) => entries.clear(),
            None => break,
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
