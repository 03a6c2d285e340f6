//! Decodes every stored form of every version and encodes it back unchanged. Stored values have to
//! stay readable for ever.
//!
//! A fixture is never edited. A new version of a type gets a new file beside the old one.

use paihao_contracts::callback_faults::{CallbackFaultCounts, CallbackVerification};
use paihao_contracts::commit::Commit;
use paihao_contracts::dead_letter::DeadLetterResolution;
use paihao_contracts::envelope::{self, FORMS, Form, ReadError};
use paihao_contracts::kiosk_pairing::KioskPairing;
use paihao_contracts::login::AuthorizationGrant;
use paihao_contracts::migrating_members::MigratingMembers;
use paihao_contracts::notice::{Notice, NoticeOutcome};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::public_event::{PublicEvent, PublicEventKind, to_public_events};
use paihao_contracts::receipt::Receipt;
use paihao_contracts::send_window::SendWindow;
use paihao_contracts::session::{OpenInvitations, RefusedScans, ScanSession, UnionId};
use paihao_contracts::settings_log::SettingsEntry;
use paihao_contracts::snapshot::{Snapshot, SnapshotFloor, SnapshotHead};
use paihao_contracts::staff::{StaffEntry, StaffSession};
use paihao_contracts::template_test::{TemplateTest, TemplateTests};
use paihao_contracts::ticket_record::TicketRecord;
use paihao_contracts::token::{RefusedToken, TokenFailure, TokenRecord};
use paihao_contracts::unfollowed::Unfollowed;
use paihao_contracts::visit::{HistoryEntry, history_entry};
use paihao_contracts::webhook::WebhookMessage;
use paihao_contracts::webhook_deliveries::WebhookDeliveries;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn fixture_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Round-trips a fixture file with one stored value per line.
fn assert_round_trips<T: DeserializeOwned + Serialize>(name: &str) -> Vec<Value> {
    let path = fixture_dir().join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines = text.lines().map(|line| {
        let stored: Value = serde_json::from_str(line).unwrap();
        let read: T = serde_json::from_value(stored.clone())
            .unwrap_or_else(|error| panic!("{name} is no longer understood: {error}\n{line}"));
        assert_eq!(serde_json::to_value(read).unwrap(), stored, "{name} is written differently");
        stored
    });
    let lines: Vec<_> = lines.collect();
    assert!(!lines.is_empty(), "{name} holds nothing");
    lines
}

#[test]
fn commits() {
    let newest = ["commit-v3", "commit-v4", "commit-v5", "commit-v5-limits"]
        .map(assert_round_trips::<Commit>)
        .concat();
    // The version is the oldest that can express the content.
    let second = ["commit-v2", "commit-v2-more", "commit-v2-told"]
        .map(assert_round_trips::<Commit>)
        .concat();
    for line in second.iter().chain(&newest) {
        let commit: Commit = serde_json::from_value(line.clone()).unwrap();
        assert_eq!(Commit::new(commit.site.clone(), commit.decisions.clone()), commit);
    }
    let lines = [
        assert_round_trips::<Commit>("commit-v1"),
        assert_round_trips::<Commit>("commit-v2"),
        assert_round_trips::<Commit>("commit-v2-told"),
        newest,
    ]
    .concat();
    // The fixtures cover every kind of event and outcome, including the newest.
    let mut kinds = BTreeSet::new();
    let mut parts = BTreeSet::new();
    for decision in lines.iter().flat_map(|line| line["decisions"].as_array().unwrap()) {
        kinds.insert(decision["outcome"]["outcome"].as_str().unwrap().to_owned());
        for event in decision["events"].as_array().unwrap() {
            kinds.insert(event["event"].as_str().unwrap().to_owned());
            collect_strings(event, &mut parts);
        }
        collect_strings(&decision["by"], &mut parts);
    }
    let sources = [
        (include_str!("../src/commit/event.rs"), "pub enum Event {", &kinds),
        (include_str!("../src/commit/outcome.rs"), "pub enum Outcome {", &kinds),
        (include_str!("../src/commit/notification.rs"), "pub enum NotificationKind {", &parts),
        (include_str!("../src/commit/notification.rs"), "pub enum ReturnCause {", &parts),
        (include_str!("../src/commit/notification.rs"), "pub enum NewReturnCause {", &parts),
        (include_str!("../src/commit/notification.rs"), "pub enum QueueEnd {", &parts),
        (include_str!("../src/commit/ticket.rs"), "pub enum TicketState {", &parts),
        (include_str!("../src/commit/ticket.rs"), "pub enum HoldKind {", &parts),
        (include_str!("../src/commit/ticket.rs"), "pub enum CloseReason {", &parts),
        (include_str!("../src/commit/visit.rs"), "pub enum VisitOutcome {", &parts),
        (include_str!("../src/commit/event.rs"), "pub enum QueueState {", &parts),
        (include_str!("../src/commit/event.rs"), "pub enum Mark {", &parts),
        (include_str!("../src/commit/event.rs"), "pub enum ActorRef {", &parts),
    ];
    for (source, head, kinds) in sources {
        let name = head.trim_end_matches(" {");
        let body = source.split(head).nth(1).unwrap().split("\n}\n").next().unwrap();
        for kind in wire_names(body) {
            assert!(kinds.contains(&kind), "no fixture holds the {name} {kind}");
        }
    }
}

#[test]
fn history_entries() {
    let stored = assert_round_trips::<HistoryEntry>("history-v1");
    let text = Value::from(stored.clone()).to_string();
    assert!(text.contains("ended") && text.contains("retracted"));
    // The commits lead to these records, which hold no person of the commits.
    let commits = assert_round_trips::<Commit>("commit-v2").into_iter();
    let commits = commits.map(|commit| serde_json::from_value::<Commit>(commit).unwrap());
    let entries: Vec<_> = commits.filter_map(|commit| history_entry(4711, &commit)).collect();
    assert_eq!(entries.len(), 3, "two ends and one that was taken back: {entries:?}");
    assert!(!serde_json::to_string(&entries).unwrap().contains("oExample"));
}

/// Collects every text and every field name of a value.
fn collect_strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(into.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| collect_strings(value, into)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            into.insert(name.clone());
            collect_strings(value, into);
        }),
        _ => {}
    }
}

/// Wire names of the variants in the body of an enum that renames them to snake case.
fn wire_names(body: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut renamed = None;
    for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
        if let Some(attribute) = line.strip_prefix("#[serde(rename = \"") {
            renamed = attribute.split('"').next().map(str::to_owned);
        } else if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            let variant: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
            names.push(renamed.take().unwrap_or_else(|| to_snake_case(&variant)));
        }
    }
    names
}

fn to_snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Entries of the settings log.
const SETTINGS: [&str; 6] =
    ["book-v1", "book-v2", "book-v2-names", "book-v2-accounts", "book-v2-kiosks", "book-v2-look"];

/// Entries of the roster log.
const ROSTER: [&str; 5] =
    ["staff-v1", "staff-v2", "staff-v2-sealed", "staff-v2-kiosks", "staff-v2-names"];

/// Snapshots of sites.
const SNAPSHOTS: [&str; 5] =
    ["snapshot-v1", "snapshot-v1-counters", "snapshot-v2", "snapshot-v3", "snapshot-v3-limits"];

#[test]
fn settings_entries() {
    // The version is the oldest that can express the content.
    for line in SETTINGS.map(assert_round_trips::<SettingsEntry>).concat() {
        let entry: SettingsEntry = serde_json::from_value(line).unwrap();
        let made = SettingsEntry::new(entry.at, entry.event.clone());
        assert_eq!(made.with_origin(entry.from.clone()), entry);
    }
}

#[test]
fn staff() {
    // The version is the oldest that can express the event.
    let lines = ROSTER.map(assert_round_trips::<StaffEntry>).concat();
    for line in &lines {
        let entry: StaffEntry = serde_json::from_value(line.clone()).unwrap();
        let made = StaffEntry::new(entry.at, &entry.by, entry.event.clone());
        assert_eq!(made.with_origin(entry.from.as_deref()), entry);
    }
    let kinds: BTreeSet<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let expected = [
        "secret_made",
        "signing_key_made",
        "signing_key_revoked",
        "joined",
        "renamed",
        "role_changed",
        "migrated",
        "removed",
        "key_made",
        "key_revoked",
        "kiosk_paired",
        "kiosk_unpaired",
        "name_erased",
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
    assert_round_trips::<StaffSession>("staff-session-v1");
}

/// Publishes every stored event: the JSON stays the same and names no person.
#[test]
fn public_events() {
    let stored = assert_round_trips::<PublicEvent>("public-event-v1");
    let commits = assert_round_trips::<Commit>("commit-v1").into_iter().enumerate();
    let mut published = commits.flat_map(|(i, line)| {
        let commit: Commit = serde_json::from_value(line).unwrap();
        to_public_events(i as u64 + 1, &commit).collect::<Vec<_>>()
    });
    for line in stored.iter().filter(|line| line.get("replay").is_none()) {
        let event = published.next().expect("a fixture that no commit leads to");
        assert_eq!(serde_json::to_value(&event).unwrap(), *line);
        assert_eq!(line["type"], event.kind.name());
    }
    assert_eq!(published.next(), None, "an event without a fixture");
    // Event types of the second version of commits.
    let more = ["public-event-v1-more", "public-event-v1-test", "public-event-v1-migration"];
    let more = more.map(assert_round_trips::<PublicEvent>).concat();
    let types: BTreeSet<_> =
        stored.iter().chain(&more).map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, BTreeSet::from(PublicEventKind::TYPES), "a type without a fixture");
    let migrated: Commit =
        serde_json::from_value(assert_round_trips::<Commit>("commit-v5")[0].clone()).unwrap();
    let published = to_public_events(1053, &migrated).last();
    assert_eq!(
        serde_json::to_value(published).unwrap(),
        *more.last().unwrap(),
        "without the person"
    );
    let text = std::fs::read_to_string(fixture_dir().join("public-event-v1.jsonl")).unwrap();
    for hidden in ["oExample", "799119a9", "0202", "command", "person"] {
        assert!(!text.contains(hidden), "{hidden} is published");
    }
}

#[test]
fn webhook_messages() {
    assert_round_trips::<WebhookMessage>("webhook-message-v1");
}

#[test]
fn snapshots() {
    let lines = SNAPSHOTS.map(assert_round_trips::<Snapshot>).concat();
    let mut parts = BTreeSet::new();
    lines.iter().for_each(|line| collect_strings(line, &mut parts));
    let sources = [
        (include_str!("../src/snapshot/mod.rs"), "pub enum CounterState {"),
        (include_str!("../src/snapshot/line.rs"), "pub enum PositionChangeCause {"),
    ];
    for (source, head) in sources {
        let body = source.split(head).nth(1).unwrap().split("\n}\n").next().unwrap();
        for name in wire_names(body) {
            assert!(parts.contains(&name), "no fixture holds {name}");
        }
    }
    for line in &lines {
        let head: SnapshotHead = serde_json::from_value(line.clone()).unwrap();
        let snapshot: Snapshot = serde_json::from_value(line.clone()).unwrap();
        assert_eq!((head.v, head.position), (snapshot.v, snapshot.position));
        assert_eq!(snapshot.state.version(), snapshot.v, "the oldest that can express the state");
    }
    assert_round_trips::<SnapshotFloor>("snapshot-floor-v1");
}

#[test]
fn notices() {
    assert_round_trips::<Notice>("notice-v1");
    let lines = assert_round_trips::<Notice>("notice-v1-more");
    let kinds: BTreeSet<_> =
        lines.iter().map(|l| l["saying"]["saying"].as_str().unwrap()).collect();
    let expected =
        ["recalled", "near", "next", "missed", "returned", "slipped", "halted", "queue_closed"];
    assert_eq!(kinds, BTreeSet::from(expected));
    // What older programs take for another kind is one that they know.
    for line in assert_round_trips::<Notice>("notice-v1-told") {
        assert!(expected.contains(&line["saying"]["saying"].as_str().unwrap()));
    }
}

#[test]
fn notice_outcomes() {
    let lines = assert_round_trips::<NoticeOutcome>("notice-outcome-v1");
    let outcomes: BTreeSet<_> = lines.iter().map(|l| l["fate"]["fate"].as_str().unwrap()).collect();
    let expected =
        ["sent", "replied", "refused", "stale", "superseded", "gave_up", "unknown", "unspeakable"];
    assert_eq!(outcomes, BTreeSet::from(expected));
    // Outcomes were once the only records, and are still read as such.
    let records = assert_round_trips::<OutcomeRecord>("notice-outcome-v1");
    assert_eq!(records.len(), lines.len());
}

#[test]
fn outcome_records() {
    let lines = assert_round_trips::<OutcomeRecord>("outcome-record-v1");
    let receipts: BTreeSet<_> = lines.iter().filter_map(|l| l["receipt"].as_str()).collect();
    assert_eq!(receipts, BTreeSet::from(["delivered", "refused", "too_often", "failed"]));
}

#[test]
fn ticket_records() {
    let lines = assert_round_trips::<TicketRecord>("ticket-record-v1");
    let claims: Vec<_> = lines.iter().map(|l| &l["ticket"]["open"][0]["claim"]).collect();
    assert_eq!(claims.iter().filter(|claim| claim["questioned"] == true).count(), 1);
    // A reader of outcomes finds the record of the notice, whatever it knows of tickets.
    let read_as_outcome = |line: &Value| {
        let mut expected = line.clone();
        expected.as_object_mut().unwrap().remove("ticket");
        let record: OutcomeRecord = envelope::decode(line.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), expected);
        matches!(record, OutcomeRecord::Ended(_))
    };
    assert_eq!(lines.iter().map(read_as_outcome).filter(|ended| *ended).count(), 2);
}

#[test]
fn dead_letter_resolutions() {
    let lines = assert_round_trips::<DeadLetterResolution>("letter-handled-v1");
    let actions: BTreeSet<_> = lines.iter().filter_map(|l| l["did"].as_str()).collect();
    assert_eq!(actions, BTreeSet::from(["redriven", "dropped"]));
}

#[test]
fn receipts() {
    assert_round_trips::<Receipt>("receipt-v1");
}

#[test]
fn migrating_members() {
    assert_round_trips::<MigratingMembers>("migrating-members-v1");
}

#[test]
fn webhook_deliveries() {
    assert_round_trips::<WebhookDeliveries>("webhook-deliveries-v1");
}

#[test]
fn callback_faults() {
    assert_round_trips::<CallbackFaultCounts>("callback-faults-v1");
    assert_round_trips::<CallbackVerification>("callback-verification-v1");
}

#[test]
fn unfollowed_people() {
    assert_round_trips::<Unfollowed>("unfollowed-v1");
}

#[test]
fn send_windows() {
    assert_round_trips::<SendWindow>("allowance-v1");
}

#[test]
fn scan_sessions() {
    assert_round_trips::<ScanSession>("scan-session-v1");
    assert_round_trips::<ScanSession>("scan-session-v1-standing");
    let lines = assert_round_trips::<ScanSession>("scan-session-v1-login");
    let text_of = |line: &Value, name: &str| line[name][name].as_str().unwrap().to_owned();
    let steps: BTreeSet<_> = lines.iter().map(|line| text_of(line, "progress")).collect();
    let expected = ["pending", "asked", "approved", "declined", "redeemed"];
    assert_eq!(steps, expected.map(str::to_owned).into());
    assert_round_trips::<AuthorizationGrant>("login-grant-v1");
    assert_round_trips::<OpenInvitations>("open-invitations-v1");
    assert_round_trips::<KioskPairing>("kiosk-pairing-v1");
    assert_round_trips::<TemplateTests>("template-tests-v1");
    assert_round_trips::<TemplateTest>("template-test-v1");
}

#[test]
fn unionids_are_told_and_not_printed() {
    let [session] = &assert_round_trips::<ScanSession>("scan-session-v1-unionid")[..] else {
        panic!("one line")
    };
    let [grant] = &assert_round_trips::<AuthorizationGrant>("login-grant-v1-unionid")[..] else {
        panic!("one line")
    };
    let session: ScanSession = serde_json::from_value(session.clone()).unwrap();
    let grant: AuthorizationGrant = serde_json::from_value(grant.clone()).unwrap();
    assert!(session.progress.has_unionid());
    let [asked] = &assert_round_trips::<ScanSession>("scan-session-v1-digits")[..] else {
        panic!("one line")
    };
    let asked: ScanSession = serde_json::from_value(asked.clone()).unwrap();
    assert!(asked.progress.has_unionid());
    let printed = format!("{asked:?}");
    assert!(!printed.contains("o6_bma") && !printed.contains("4827"), "{printed}");
    assert_eq!(grant.unionid.as_ref().map(UnionId::expose), Some("o6_bmasdasdsad6_2sgVt7hMZOPfL"));
    let printed = format!("{session:?} {grant:?}");
    assert!(!printed.contains("o6_bma"), "{printed}");
}

#[test]
fn access_tokens() {
    assert_round_trips::<TokenRecord>("access-token-v1");
    assert_round_trips::<RefusedToken>("refused-token-v1");
    assert_round_trips::<TokenFailure>("token-failure-v1");
}

/// Decodes the fixtures of a form, one file or more for each version, and their successors.
fn check_form<T: Form>(files: &[&str], checked: &mut Vec<(&str, u32)>) {
    let mut versions = BTreeSet::new();
    for name in files {
        let text = std::fs::read_to_string(fixture_dir().join(format!("{name}.jsonl"))).unwrap();
        for line in text.lines() {
            if let Err(error) = envelope::decode::<T>(line.as_bytes()) {
                panic!("{name} is no longer read: {error}\n{line}");
            }
            versions.extend(envelope::version(line.as_bytes()));
            for newer in successors(line, T::VERSION + 1) {
                let read = envelope::decode::<T>(newer.as_bytes()).err();
                let version = match read {
                    Some(ReadError::Newer(newer)) => newer.version,
                    other => panic!("{name} of a newer program: {other:?}\n{newer}"),
                };
                assert_eq!(version, T::VERSION + 1);
            }
        }
    }
    assert_eq!(versions, (1..=T::VERSION).collect(), "fixtures of {}", T::NAME);
    checked.push((T::NAME, T::VERSION));
}

/// Forms that a newer program may write in place of a stored value: with a member more, with
/// members of other types, and with other members only.
fn successors(line: &str, version: u32) -> Vec<String> {
    let Value::Object(members) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    let mut more = members.clone();
    more.insert("wonders".to_owned(), serde_json::json!([{ "v": 1 }]));
    let gilded = |name: &String| (name.clone(), serde_json::json!({ "gilded": [name] }));
    let changed = members.keys().map(gilded).collect();
    let others = serde_json::Map::from_iter([gilded(&"wonders".to_owned())]);
    let with_version = |mut members: serde_json::Map<String, Value>| {
        members.insert("v".to_owned(), version.into());
        Value::from(members).to_string()
    };
    [more, changed, others].map(with_version).into()
}

#[test]
fn every_version_of_every_form_is_read_and_a_newer_one_is_told_from_a_malformed_one() {
    let mut checked = Vec::new();
    check_form::<CallbackFaultCounts>(&["callback-faults-v1"], &mut checked);
    check_form::<CallbackVerification>(&["callback-verification-v1"], &mut checked);
    let commits = ["commit-v1", "commit-v2", "commit-v3", "commit-v4", "commit-v5"];
    check_form::<Commit>(&commits, &mut checked);
    check_form::<DeadLetterResolution>(&["letter-handled-v1"], &mut checked);
    check_form::<KioskPairing>(&["kiosk-pairing-v1"], &mut checked);
    check_form::<AuthorizationGrant>(&["login-grant-v1", "login-grant-v1-unionid"], &mut checked);
    check_form::<MigratingMembers>(&["migrating-members-v1"], &mut checked);
    check_form::<Notice>(&["notice-v1", "notice-v1-more"], &mut checked);
    check_form::<OutcomeRecord>(&["notice-outcome-v1", "outcome-record-v1"], &mut checked);
    check_form::<Receipt>(&["receipt-v1"], &mut checked);
    check_form::<SendWindow>(&["allowance-v1"], &mut checked);
    let scans = ["", "-login", "-unionid", "-digits"].map(|case| format!("scan-session-v1{case}"));
    check_form::<ScanSession>(&scans.each_ref().map(|name| &**name), &mut checked);
    check_form::<OpenInvitations>(&["open-invitations-v1"], &mut checked);
    check_form::<RefusedScans>(&["refused-scans-v1"], &mut checked);
    check_form::<SettingsEntry>(&SETTINGS, &mut checked);
    check_form::<Snapshot>(&SNAPSHOTS, &mut checked);
    check_form::<SnapshotFloor>(&["snapshot-floor-v1"], &mut checked);
    check_form::<StaffEntry>(&ROSTER, &mut checked);
    check_form::<StaffSession>(&["staff-session-v1"], &mut checked);
    check_form::<TemplateTest>(&["template-test-v1"], &mut checked);
    check_form::<TemplateTests>(&["template-tests-v1"], &mut checked);
    check_form::<TicketRecord>(&["ticket-record-v1"], &mut checked);
    check_form::<RefusedToken>(&["refused-token-v1"], &mut checked);
    check_form::<TokenFailure>(&["token-failure-v1"], &mut checked);
    check_form::<TokenRecord>(&["access-token-v1"], &mut checked);
    check_form::<Unfollowed>(&["unfollowed-v1"], &mut checked);
    check_form::<HistoryEntry>(&["history-v1"], &mut checked);
    check_form::<WebhookMessage>(&["webhook-message-v1"], &mut checked);
    check_form::<WebhookDeliveries>(&["webhook-deliveries-v1"], &mut checked);
    assert_eq!(checked, FORMS, "a form is missing in this test");
}

#[test]
fn every_fixture_is_read_by_a_test() {
    let source = include_str!("fixtures.rs");
    for file in std::fs::read_dir(fixture_dir()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".jsonl");
        assert!(source.contains(&format!("\"{name}\"")), "no test reads {name}");
    }
}
