//! Tests of what is taken over: all of it after a crash at any step, and nothing else.

use super::*;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::settings::SiteSetup;
use paihao_contracts::staff::{Member, StaffRole};
use paihao_contracts::streams::LEDGER;
use paihao_ledger_sqlite::{SqliteBackup, SqliteLedger, SqliteOptions};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const NOW_MS: i64 = 1_764_000_000_000;

fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, SqliteOptions::new(Arc::new(|| SystemClock.now_ms()))).unwrap()
}

fn ending() -> RehearsalEnding {
    RehearsalEnding {
        keeps_settings: true,
        author: "m_owner".to_owned(),
        origin: Some("192.0.2.x".to_owned()),
        session: None,
    }
}

fn site(name: &str) -> SiteSetup {
    serde_json::from_value(json!({ "account": "shop", "name": name })).unwrap()
}

/// Documents of a site or of the account `shop`, as the settings log has them.
fn documents_of(values: &[(&str, Value)]) -> SettingsDocuments {
    let mut documents = SettingsDocuments::default();
    for (position, (id, value)) in (1..).zip(values) {
        let (kind, event) = if *id == "shop" {
            let setup = serde_json::from_value(value.clone()).unwrap();
            let account = "shop".to_owned();
            let by = "x".to_owned();
            (
                DocumentKind::Account,
                SettingsEvent::AccountSet { account, by, setup, idempotency: None },
            )
        } else {
            let setup = serde_json::from_value(value.clone()).unwrap();
            let site = (*id).to_owned();
            let by = "x".to_owned();
            (DocumentKind::Site, SettingsEvent::SiteSet { site, by, setup, idempotency: None })
        };
        let stored = StoredEntry {
            position: Position(position),
            subject: kind.subject(id).unwrap(),
            at_ms: NOW_MS,
            entry: Entry::new(SettingsEntry::new(NOW_MS, event).encode()),
        };
        documents.apply(&stored).unwrap();
    }
    documents
}

#[tokio::test]
async fn after_a_crash_at_any_step_a_repeat_takes_over_the_rest_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let rehearsed = documents_of(&[
        ("shop", json!({ "greeting": "您好" })),
        ("a", serde_json::to_value(site("一店")).unwrap()),
        ("b", serde_json::to_value(site("二店")).unwrap()),
        ("c", serde_json::to_value(site("三店")).unwrap()),
    ]);
    let rehearsal = folder.path().join("rehearsal.sqlite");
    let ledger = open(&rehearsal);
    copy_settings(&rehearsed, &AccountSetup::default(), &ledger, NOW_MS).await.unwrap();
    ledger.close().await;
    let rehearsal = SqliteBackup::open(&rehearsal).unwrap();
    for written in 0..=4 {
        let real = open(&folder.path().join(format!("real-{written}.sqlite")));
        let none = SettingsDocuments::default();
        let mut documents =
            missing_documents(&rehearsed, &none, "m_owner", account_setup::taken_over);
        documents.truncate(written);
        append(&real, &none, documents, None, NOW_MS).await.unwrap();
        // The crash is here; then it is ended again, twice.
        for _ in 0..2 {
            take_settings_over(&rehearsal, &real, &ending(), NOW_MS).await.unwrap();
        }
        let taken = documents_of_ledger(&real).await.unwrap();
        let missing = missing_documents(&rehearsed, &taken, "", account_setup::taken_over);
        assert_eq!(missing, [], "{written}");
        assert_eq!(taken.changes.len(), 4, "{written}");
        assert!(taken.changes.iter().all(|change| change.by == "m_owner"));
        real.close().await;
    }
}

/// Appends an entry of staff to a ledger.
async fn append_staff(ledger: &SqliteLedger, event: StaffEvent) {
    let entry = Entry::new(StaffEntry::new(NOW_MS, "x", event).encode());
    let subject = Subject::new(&["staff"]).unwrap();
    ledger.append(&STAFF, &subject, ExpectedPosition::Any, entry).await.unwrap();
}

async fn append_session(ledger: &SqliteLedger, id: &str, member: &str) {
    let session = StaffSession {
        v: 1,
        holder: SessionHolder::Member { id: member.to_owned() },
        begun_at: NOW_MS,
        seen_at: NOW_MS,
        ended_at: None,
        ended_by: None,
        ended_from: None,
        browser: String::new(),
        address: String::new(),
    };
    let subject = Subject::new(&[id]).unwrap();
    let entry = Entry::new(session.encode());
    ledger.append(&STAFF_SESSIONS, &subject, ExpectedPosition::Any, entry).await.unwrap();
}

#[tokio::test]
async fn nothing_of_the_rehearsal_comes_back_but_settings_and_the_session_of_a_member() {
    let joined = |id: &str| StaffEvent::Joined {
        member: Member {
            id: id.to_owned(),
            name: "店主".to_owned(),
            role: StaffRole::Manager,
            sites: None,
            counters: [].into(),
        },
        person: "p".to_owned(),
        invitation: "first".to_owned(),
    };
    let folder = tempfile::tempdir().unwrap();
    let [real_path, rehearsal_path] =
        ["real.sqlite", "rehearsal.sqlite"].map(|name| folder.path().join(name));
    let real = open(&real_path);
    append_staff(&real, joined("m_owner")).await;
    append_session(&real, "aa", "m_owner").await;
    real.close().await;

    let rehearsal = open(&rehearsal_path);
    copy_staff(&SqliteBackup::open(&real_path).unwrap(), &rehearsal).await.unwrap();
    append_staff(&rehearsal, joined("m_simulated")).await;
    append_session(&rehearsal, "bb", "m_owner").await;
    append_session(&rehearsal, "cc", "m_simulated").await;
    let line = Subject::new(&["shop", "a"]).unwrap();
    let ticket = Entry::new("oSimulated");
    rehearsal.append(&LEDGER, &line, ExpectedPosition::Empty, ticket).await.unwrap();
    rehearsal.close().await;

    let source = SqliteBackup::open(&rehearsal_path).unwrap();
    let real = open(&real_path);
    for session in [None, Some("aa"), Some("bb"), Some("cc"), Some("dd")] {
        take_session_over(&source, &real, session).await.unwrap();
    }
    take_settings_over(&source, &real, &ending(), NOW_MS).await.unwrap();
    let sessions = read(&real, &STAFF_SESSIONS).await.unwrap();
    let sessions: Vec<_> = sessions.iter().map(|stored| stored.subject.as_str()).collect();
    assert_eq!(sessions, ["aa", "bb"]);
    assert_eq!(read(&real, &STAFF).await.unwrap().len(), 1);
    assert_eq!(read(&real, &LEDGER).await.unwrap(), []);
}
