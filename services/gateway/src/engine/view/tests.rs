//! Tests of the replica of one site.

use super::*;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::partitions::Partitions;
use paihao_domain::{CommandId, CounterId, Outcome, Timestamp};

fn facts() -> SiteFacts {
    SiteFacts {
        account: "shop".into(), id: "hall".into(), name: "大厅".into(), zone: "UTC".into()
    }
}

/// Replica with the number of decisions that its observer received.
fn observed_replica() -> (SiteReplica, Arc<Mutex<usize>>) {
    let subject = Subject::new(&["shop", "hall"]).unwrap();
    let partition = Partitions::ONE.of(subject.as_str());
    let observed = Arc::new(Mutex::new(0));
    let count = observed.clone();
    let observer = Arc::new(move |_: &_, _: &_| *count.lock() += 1);
    let signals = Arc::new(CoverageSignals::new(partition, Arc::default()));
    (SiteReplica::new(subject, SiteNumber(0), observer, signals), observed)
}

fn opening(counter: &str) -> Decision {
    let counter = CounterId::new(counter);
    Decision {
        command: CommandId([7; 16]),
        fingerprint: 0,
        at: Timestamp(1),
        by: None,
        outcome: Outcome::CounterOpen(counter.clone()),
        events: vec![Event::CounterOpened { counter, login: None }],
    }
}

fn entry(replica: &SiteReplica, decision: &Decision, position: u64) -> StoredEntry {
    StoredEntry {
        position: Position(position),
        subject: replica.subject.clone(),
        at_ms: 1,
        entry: codec::encode(&facts(), std::slice::from_ref(decision)),
    }
}

/// Sets a decision on the current snapshot as pending. Returns its entry.
fn set_pending_decision(replica: &SiteReplica, decision: &Decision) -> StoredEntry {
    let snapshot = replica.now();
    let stored = entry(replica, decision, snapshot.position.0 + 5);
    let mut site = snapshot.site.clone();
    Arc::make_mut(&mut site).apply(decision);
    let payload = stored.entry.payload.clone();
    replica
        .set_pending(&snapshot, PendingWrite { payload, decisions: vec![decision.clone()], site });
    stored
}

fn site_after(decisions: &[Decision]) -> Site {
    let mut site = Site::default();
    decisions.iter().for_each(|decision| site.apply(decision));
    site
}

#[test]
fn an_own_entry_counts_once_whoever_brings_it_first() {
    for follower_first in [true, false] {
        let (replica, observed) = observed_replica();
        let stored = set_pending_decision(&replica, &opening("1"));
        if follower_first {
            replica.apply_entry(&stored);
        }
        replica.confirm(stored.position);
        replica.apply_entry(&stored);
        assert_eq!(replica.now().position, stored.position);
        assert_eq!(*replica.now().site, site_after(&[opening("1")]));
        assert_eq!(*observed.lock(), 1);
    }
}

#[test]
fn what_is_replayed_leads_to_the_same_and_wakes_nobody() {
    let (live, _) = observed_replica();
    let (late, observed) = observed_replica();
    let watched = late.watch();
    let [first, second] = ["1", "2"].map(opening);
    for (decision, position) in [(&first, 3), (&second, 7), (&first, 7)] {
        let stored = entry(&live, decision, position);
        live.apply_entry(&stored);
        late.replay(stored.position, codec::decode(&stored.entry.payload));
    }
    assert_eq!(late.now().site, live.now().site);
    assert_eq!((late.now().position, *observed.lock()), (Position(7), 2));
    assert!(!watched.has_changed().unwrap());

    late.replay(Position(9), codec::decode(b"{}"));
    assert!(late.now().unreadable && !watched.has_changed().unwrap());
    late.notify();
    assert!(watched.has_changed().unwrap());
}

#[test]
fn a_draft_gives_way_to_what_another_replica_wrote() {
    let (replica, _) = observed_replica();
    set_pending_decision(&replica, &opening("1"));
    replica.apply_entry(&entry(&replica, &opening("2"), 3));
    assert_eq!(*replica.now().site, site_after(&[opening("2")]));
    let again = set_pending_decision(&replica, &opening("1"));
    replica.apply_entry(&again);
    assert_eq!(*replica.now().site, site_after(&[opening("2"), opening("1")]));
}

#[test]
fn an_entry_that_is_read_after_all_have_aged_out_is_the_newest() {
    let (replica, _) = observed_replica();
    replica.apply_entry(&entry(&replica, &opening("1"), 3));
    replica.apply_entry(&entry(&replica, &opening("2"), 4));
    replica.mark_aged_out(Position(3));
    assert_eq!(replica.position(), Position(4));
    replica.mark_aged_out(Position(4));
    assert_eq!(replica.position(), Position::START);
}

#[test]
fn a_draft_on_a_ledger_that_is_gone_brings_nothing_of_it_back() {
    let (replica, _) = observed_replica();
    replica.apply_entry(&entry(&replica, &opening("2"), 3));
    replica.mark_aged_out(Position(3));
    let stored = set_pending_decision(&replica, &opening("1"));
    replica.reset();
    replica.apply_entry(&stored);
    assert_eq!(*replica.now().site, site_after(&[opening("1")]));
}
