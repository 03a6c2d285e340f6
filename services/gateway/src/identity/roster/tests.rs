//! Tests of the roster: who is known by what, and until when.

use super::*;
use paihao_contracts::envelope;
use paihao_contracts::stored_secret::StoredSecret;

fn entries() -> Vec<StaffEntry> {
    let stored = include_str!("../../../../../shared/contracts/tests/fixtures/staff-v1.jsonl");
    stored.lines().map(|line| envelope::decode(line.as_bytes()).unwrap()).collect()
}

fn roster_after(n: usize) -> Roster {
    let mut roster = Roster::default();
    entries().iter().take(n).for_each(|entry| roster.apply(entry));
    roster
}

#[test]
fn a_key_that_is_sealed_again_is_the_same_key_and_stays_revoked() {
    let mut roster = Roster::default();
    let made = |kid: &str, at: i64, made_at: Option<i64>| {
        let (kid, pkcs8) = (kid.to_owned(), StoredSecret::new(format!("{kid} at {at}")));
        StaffEntry::new(at, "system", StaffEvent::SigningKeyMade { kid, pkcs8, made_at })
    };
    roster.apply(&made("a", 1, None));
    roster.apply(&made("b", 2, None));
    let revoked = StaffEvent::SigningKeyRevoked { kid: "a".to_owned() };
    roster.apply(&StaffEntry::new(3, "boss", revoked.clone()));
    roster.apply(&made("a", 4, Some(1)));
    let keys = roster.signing_keys();
    let seen: Vec<_> = keys.iter().map(|key| (&*key.kid, key.made_at, key.is_revoked)).collect();
    assert_eq!(seen, [("a", 1, true), ("b", 2, false)]);
    // The first entry of the key has been erased, and what is left is read.
    let mut roster = Roster::default();
    roster.apply(&StaffEntry::new(3, "boss", revoked));
    roster.apply(&made("a", 4, Some(1)));
    assert!(roster.signing_keys()[0].is_revoked);
}

#[test]
fn who_joins_is_known_by_their_hash_until_they_are_removed() {
    assert!(!roster_after(2).has_had_members());
    let four = roster_after(4);
    let lei = four.member_by_person_hash("899119a90202799119a90202799119a9").unwrap();
    assert_eq!((&*lei.id, lei.role), ("m_4e5f6a7b", StaffRole::Staff));
    assert!(four.is_invitation_used("0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"));
    assert_eq!(roster_after(5).member("m_4e5f6a7b").unwrap().name, "李磊");
    assert!(matches!(
        member_actor(roster_after(6).member("m_4e5f6a7b").unwrap()),
        Actor::Manager(_)
    ));
    let gone = roster_after(7);
    assert!(gone.member_by_person_hash("899119a90202799119a90202799119a9").is_none());
    assert!(
        gone.is_invitation_used("0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"),
        "an invitation works once"
    );
}

#[test]
fn a_first_manager_in_a_browser_closes_the_door_once_they_have_scanned() {
    let member = |id: &str| Member {
        id: id.into(),
        name: "管理员".into(),
        role: StaffRole::Manager,
        sites: None,
        counters: [].into(),
    };
    let joined = |id: &str| StaffEvent::Joined {
        member: member(id),
        person: format!("hash of {id}"),
        invitation: FIRST_IN_BROWSER.into(),
    };
    let migrated = |id: &str| StaffEvent::Migrated { id: id.into(), person: "scanned".into() };
    let removed = |id: &str| StaffEvent::Removed { id: id.into() };
    for (events, browser, is_closed) in [
        (vec![joined("a")], Some("a"), false),
        (vec![joined("a"), migrated("a")], None, true),
        (vec![joined("a"), migrated("b")], Some("a"), false),
        (vec![joined("a"), removed("a")], None, false),
        (vec![joined("a"), removed("a"), joined("b")], Some("b"), false),
        (vec![joined("a"), migrated("a"), removed("a")], None, true),
    ] {
        let mut roster = Roster::default();
        events.iter().for_each(|event| roster.apply(&StaffEntry::new(1, "first", event.clone())));
        assert_eq!(roster.browser_manager(), browser, "{events:?}");
        assert_eq!(roster.has_had_members(), is_closed, "{events:?}");
    }
}

#[test]
fn whoever_migrated_is_known_by_the_new_hash_alone() {
    let mut roster = roster_after(4);
    let migrated = include_str!("../../../../../shared/contracts/tests/fixtures/staff-v2.jsonl");
    let migrated = migrated.lines().next().unwrap();
    roster.apply(&envelope::decode(migrated.as_bytes()).unwrap());
    let (former, new) = ("799119a90202799119a90202799119a9", "999119a90202799119a90202799119a9");
    assert!(roster.member_by_person_hash(former).is_none());
    let member = roster.member_by_person_hash(new).unwrap();
    assert_eq!((&*member.id, member.role), ("m_0a1b2c3d", StaffRole::Manager));
    assert_eq!(roster.person_hash_of("m_0a1b2c3d"), Some(new));
}

#[test]
fn a_programs_key_is_known_by_its_hash_until_it_is_revoked() {
    assert_eq!(roster_after(8).find_key("abc").unwrap().id, "k_0a1b2c3d");
    assert!(roster_after(8).find_key("abd").is_none());
    assert!(roster_after(9).find_key("abc").is_none());
}

/// Roster with a manager of two sites, who made a key for each choice of sites, and one of an
/// operator's key.
fn roster_with_keys() -> Roster {
    let mut roster = roster_after(3);
    let id = "m_4e5f6a7b".to_owned();
    let join = entries().remove(3);
    roster.apply(&join);
    let sites = Some(["hall".to_owned(), "annex".to_owned()].into());
    let counters = BTreeSet::new();
    let role = StaffRole::Manager;
    let promoted = StaffEvent::RoleChanged { id: id.clone(), role, sites, counters };
    roster.apply(&StaffEntry::new(0, "m_0a1b2c3d", promoted));
    for (key, by, sites) in [
        ("k_hall", &*id, &["hall"][..]),
        ("k_annex", &id, &["annex"]),
        ("k_both", &id, &["annex", "hall"]),
        ("k_other", "m_0a1b2c3d", &["hall"]),
        ("k_desk", "front-desk", &["hall"]),
    ] {
        let sites = Some(sites.iter().map(ToString::to_string).collect());
        let key = ApiKey {
            id: key.into(),
            name: key.into(),
            hash: key.into(),
            sites,
            counters: [].into(),
            purpose: None,
            scopes: None,
            expires_at: None,
        };
        roster.apply(&StaffEntry::new(0, by, StaffEvent::KeyMade { key }));
    }
    roster
}

#[test]
fn the_keys_of_whoever_is_out_or_less_than_before_end_and_stay_so() {
    let others = ["k_desk", "k_other"];
    let change = |role, sites: Option<&[&str]>| StaffEvent::RoleChanged {
        id: "m_4e5f6a7b".into(),
        role,
        sites: sites.map(|sites| sites.iter().map(ToString::to_string).collect()),
        counters: [].into(),
    };
    let everything = || change(StaffRole::Manager, None);
    for (event, left) in [
        (StaffEvent::Removed { id: "m_4e5f6a7b".into() }, &[][..]),
        (change(StaffRole::Staff, Some(&["annex", "hall"])), &[]),
        (change(StaffRole::Staff, None), &[]),
        (change(StaffRole::Manager, Some(&["hall"])), &["k_hall"]),
        (change(StaffRole::Manager, Some(&["annex"])), &["k_annex"]),
        (change(StaffRole::Manager, Some(&[])), &[]),
        (change(StaffRole::Manager, Some(&["annex", "hall"])), &["k_annex", "k_both", "k_hall"]),
        (everything(), &["k_annex", "k_both", "k_hall"]),
    ] {
        let mut roster = roster_with_keys();
        let made = roster.keys().count();
        assert_eq!(made, 5);
        roster.apply(&StaffEntry::new(0, "m_0a1b2c3d", event.clone()));
        let mut expected: Vec<_> = left.iter().chain(&others).copied().collect();
        expected.sort_unstable();
        let ids =
            |roster: &Roster| roster.keys().map(|entry| entry.key.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&roster), expected, "{event:?}");
        roster.apply(&StaffEntry::new(0, "m_0a1b2c3d", everything()));
        assert_eq!(ids(&roster), expected, "a promotion brings nothing back: {event:?}");
        for id in ids(&roster) {
            assert!(roster.is_key_id_issued(&id) && roster.find_key("abc").is_none());
        }
    }
}

#[test]
fn a_hash_depends_on_the_secret_and_on_where_its_parts_end() {
    assert_eq!(Roster::default().person_hash("shop", "oAnn"), None);
    let tag = |a: &str, b: &str| roster_after(1).person_hash(a, b).unwrap();
    assert_eq!(tag("shop", "oAnn"), tag("shop", "oAnn"));
    assert_ne!(tag("shop", "oAnn"), tag("shopo", "Ann"));
    let mut other = Roster::default();
    let secret = StoredSecret::new("another");
    let event = StaffEvent::SecretMade { secret, made_at: None };
    other.apply(&StaffEntry::new(0, "system", event));
    assert_ne!(other.person_hash("shop", "oAnn"), roster_after(1).person_hash("shop", "oAnn"));
}

/// Applies entries, and again what is left once the names of those who left are erased.
fn with_and_without_names(events: &[StaffEvent], id: &str) -> [Roster; 2] {
    let entry = |at: usize| StaffEntry::new(at as i64, "boss", events[at].clone());
    let (mut whole, mut left, mut nameless) = (Roster::default(), Roster::default(), Vec::new());
    for at in 0..events.len() {
        whole.apply(&entry(at));
        match entry(at).without_name(at as u64) {
            Some((named, entry)) if named == id => nameless.push(entry),
            _ => left.apply(&entry(at)),
        }
    }
    let erased = StaffEvent::NameErased { id: id.to_owned(), entries: nameless };
    let erased = StaffEntry::new(99, "system", erased);
    whole.apply(&erased);
    left.apply(&erased);
    [whole, left]
}

#[test]
fn what_an_erased_name_leaves_decides_as_the_entries_did() {
    let member = |invitation: &str| {
        let member = Member {
            id: "m_1".into(),
            name: "安女士".into(),
            role: StaffRole::Manager,
            sites: None,
            counters: BTreeSet::new(),
        };
        let (person, invitation) = ("hash".into(), invitation.into());
        StaffEvent::Joined { member, person, invitation }
    };
    let removed = || StaffEvent::Removed { id: "m_1".into() };
    let migrated = || StaffEvent::Migrated { id: "m_1".into(), person: "hash 2".into() };
    for (events, had_members) in [
        (vec![member("one"), removed()], true),
        (vec![member(FIRST_IN_BROWSER), migrated(), removed()], true),
        (vec![member(FIRST_IN_BROWSER), removed()], false),
    ] {
        for roster in with_and_without_names(&events, "m_1") {
            assert_eq!(roster.has_had_members(), had_members, "{events:?}");
            assert_eq!(roster.is_invitation_used("one"), events.len() == 2 && had_members);
            assert_eq!((roster.members().count(), roster.browser_manager()), (0, None));
        }
    }
    let (id, name, hash) = ("kiosk_1".to_owned(), "东门".to_owned(), "c0ffee".to_owned());
    let kiosk = Kiosk { id: id.clone(), name, site: "hall".into(), hash: hash.clone() };
    let events = [StaffEvent::KioskPaired { kiosk }, StaffEvent::KioskUnpaired { id }];
    for roster in with_and_without_names(&events, "kiosk_1") {
        assert!(roster.is_retired_kiosk_hash(&hash) && !roster.has("kiosk_1"));
    }
    let key = ApiKey {
        id: "k_1".into(),
        name: "BI".into(),
        hash,
        sites: None,
        counters: BTreeSet::new(),
        purpose: None,
        scopes: None,
        expires_at: Some(1),
    };
    for roster in with_and_without_names(&[StaffEvent::KeyMade { key }], "k_1") {
        assert!(roster.is_key_id_issued("k_1") && !roster.has("k_1"), "one that has ended too");
    }
}
