//! Cases of a log that keeps the newest entry of each subject.

use super::*;
use crate::{AppendError, ExpectedPosition};
use paihao_contracts::streams::Keep;
use std::sync::Arc;

const NEWEST_LOG: Log = Log { name: "conformance-newest", retention: None, keep: Keep::Newest };

/// Every entry that a follower from the start gets.
async fn kept(ledger: &dyn Ledger, count: usize) -> Vec<StoredEntry> {
    let mut follower = ledger.follow(&NEWEST_LOG, Position::START).await.unwrap();
    let entries = next_entries(&mut follower, count).await;
    assert_pending("no more than is kept", follower.next()).await;
    entries
}

/// An append removes the entry before it, of the same subject and log only.
pub async fn an_append_removes_the_one_before(ledger: Arc<dyn Ledger>) {
    let other = append_any(&*ledger, &NEWEST_LOG, "b", "other").await;
    for n in 0..5 {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut newest = Position::START;
    for n in 0..5 {
        newest = append_any(&*ledger, &NEWEST_LOG, "a", n.to_string()).await;
    }
    let entries = kept(&*ledger, 2).await;
    let found: Vec<_> = entries.iter().map(|entry| (entry.position, payload_text(entry))).collect();
    assert_eq!(found, [(other, "other".to_owned()), (newest, "4".to_owned())]);
    assert_eq!(ledger.head(&NEWEST_LOG).await.unwrap(), newest);
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    next_entries(&mut follower, 5).await;
}

/// The precondition of an append is the one entry that is kept.
pub async fn the_expectation_is_on_the_newest(ledger: Arc<dyn Ledger>) {
    let subject = subject("a");
    let append =
        |expect, text: &'static str| ledger.append(&NEWEST_LOG, &subject, expect, Entry::new(text));
    let first = append(ExpectedPosition::Empty, "1").await.unwrap();
    let second = append(ExpectedPosition::At(first), "2").await.unwrap();
    for stale in [ExpectedPosition::Empty, ExpectedPosition::At(first)] {
        match append(stale, "no").await {
            Err(AppendError::Conflict { found, .. }) => assert_eq!(found, Some(second)),
            other => panic!("expected a conflict, got {other:?}"),
        }
    }
    let last = ledger.last(&NEWEST_LOG, &subject).await.unwrap().unwrap();
    assert_eq!((last.position, payload_text(&last).as_str()), (second, "2"));
    assert!(append(ExpectedPosition::At(second), "3").await.unwrap() > second);
}

/// A follower gets the newest of each subject in order of position, and then every later one.
pub async fn a_follower_gets_the_newest_of_each_subject(ledger: Arc<dyn Ledger>) {
    for (name, text) in [("a", "a1"), ("b", "b1"), ("c", "c1"), ("b", "b2"), ("a", "a2")] {
        append_any(&*ledger, &NEWEST_LOG, name, text).await;
    }
    let mut follower = ledger.follow(&NEWEST_LOG, Position::START).await.unwrap();
    let entries = next_entries(&mut follower, 3).await;
    assert_eq!(entries.iter().map(payload_text).collect::<Vec<_>>(), ["c1", "b2", "a2"]);
    append_any(&*ledger, &NEWEST_LOG, "c", "c2").await;
    assert_eq!(payload_text(&next_entry(&mut follower).await), "c2");
    let from_the_middle = ledger.follow(&NEWEST_LOG, entries[1].position).await.unwrap();
    let later: Vec<_> = from_the_middle.take(2).collect().await;
    assert_eq!(later.len(), 2);
    assert_eq!(kept(&*ledger, 3).await.len(), 3);
}

/// Of appenders that expect the same entry one succeeds, and one entry is kept.
pub async fn one_of_concurrent_appenders_wins_each_round(ledger: Arc<dyn Ledger>) {
    let subject = subject("a");
    let mut expect = ExpectedPosition::Empty;
    for round in 0..20 {
        let appends = (0..6).map(|appender| {
            let entry = Entry::new(format!("{round}/{appender}"));
            ledger.append(&NEWEST_LOG, &subject, expect, entry)
        });
        let results = with_timeout("all appends", futures::future::join_all(appends)).await;
        let won: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(kept(&*ledger, 1).await[0].position, won[0]);
        expect = ExpectedPosition::At(won[0]);
    }
}
