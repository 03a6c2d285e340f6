//! Cases of following: existing and then new entries, without gaps or duplicates.

use super::*;
use std::sync::Arc;

/// From the start: existing entries in order, then new ones of any subject.
pub async fn from_the_start_and_on(ledger: Arc<dyn Ledger>) {
    let mut positions = Vec::new();
    for n in 0..3 {
        positions.push(append_any(&*ledger, &LOG, "a", n.to_string()).await);
    }
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    let existing = next_entries(&mut follower, 3).await;
    assert_eq!(existing.iter().map(|r| r.position).collect::<Vec<_>>(), positions);
    assert_eq!(existing.iter().map(payload_text).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_pending("nothing new yet", follower.next()).await;
    let position = append_any(&*ledger, &LOG, "b", "live").await;
    let live = next_entry(&mut follower).await;
    assert_eq!((live.position, live.subject, live.at_ms > 0), (position, subject("b"), true));
    assert_pending("no entry twice", follower.next()).await;
}

/// From the middle: entries strictly after the given position.
pub async fn from_the_middle(ledger: Arc<dyn Ledger>) {
    let mut positions = Vec::new();
    for n in 0..5 {
        positions.push(
            append_any(&*ledger, &LOG, if n % 2 == 0 { "a" } else { "b" }, n.to_string()).await,
        );
    }
    let mut follower = ledger.follow(&LOG, positions[2]).await.unwrap();
    let following = next_entries(&mut follower, 2).await;
    assert_eq!(following.iter().map(payload_text).collect::<Vec<_>>(), ["3", "4"]);
    let mut at_the_end = ledger.follow(&LOG, positions[4]).await.unwrap();
    assert_pending("nothing after the end", at_the_end.next()).await;
    append_any(&*ledger, &LOG, "a", "5").await;
    assert_eq!(payload_text(&next_entry(&mut at_the_end).await), "5");
    assert_eq!(payload_text(&next_entry(&mut follower).await), "5");
}

/// An empty log can be followed and yields its first entry.
pub async fn an_empty_log_and_its_first_entry(ledger: Arc<dyn Ledger>) {
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    assert_pending("nothing in an empty log", follower.next()).await;
    append_any(&*ledger, &LOG, "a", "first").await;
    assert_eq!(payload_text(&next_entry(&mut follower).await), "first");
}

/// The transition from existing to new entries has neither gaps nor duplicates.
pub async fn without_gap_while_others_append(ledger: Arc<dyn Ledger>) {
    const COUNT: usize = 400;
    let appending = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move {
            for n in 0..COUNT {
                append_any(&*ledger, &LOG, "a", n.to_string()).await;
            }
        }
    });
    // Followers join at several moments during the appends.
    for joins_after in [0, 20, 100, 200] {
        let mut first = ledger.follow(&LOG, Position::START).await.unwrap();
        let entries = next_entries(&mut first, joins_after + 1).await;
        let from = entries[joins_after].position;
        let mut follower = ledger.follow(&LOG, from).await.unwrap();
        let following = next_entries(&mut follower, COUNT - joins_after - 1).await;
        let numbers: Vec<usize> =
            following.iter().map(|r| payload_text(r).parse().unwrap()).collect();
        assert_eq!(numbers, (joins_after + 1..COUNT).collect::<Vec<_>>());
    }
    appending.await.unwrap();
}

/// Every follower sees the same order, with increasing positions, whoever appended.
pub async fn all_followers_see_one_order(ledger: Arc<dyn Ledger>) {
    let mut first = ledger.follow(&LOG, Position::START).await.unwrap();
    let appends = (0..100).map(|n| {
        let ledger = Arc::clone(&ledger);
        async move { append_any(&*ledger, &LOG, &format!("s{}", n % 7), n.to_string()).await }
    });
    with_timeout("all appends", futures::future::join_all(appends)).await;
    let mut second = ledger.follow(&LOG, Position::START).await.unwrap();
    let order = next_entries(&mut first, 100).await;
    assert_eq!(next_entries(&mut second, 100).await, order);
    assert!(order.is_sorted_by(|a, b| a.position < b.position));
}

/// More entries than any store reads in one batch.
pub async fn a_long_log(ledger: Arc<dyn Ledger>) {
    const COUNT: usize = 3_000;
    for chunk in 0..COUNT / 500 {
        let appends = (0..500).map(|n| {
            let ledger = Arc::clone(&ledger);
            async move { append_any(&*ledger, &LOG, "a", (chunk * 500 + n).to_string()).await }
        });
        with_timeout("all appends", futures::future::join_all(appends)).await;
    }
    let mut follower = ledger.follow(&LOG, Position::START).await.unwrap();
    let all = next_entries(&mut follower, COUNT).await;
    assert!(all.is_sorted_by(|a, b| a.position < b.position));
    let mut numbers: Vec<usize> = all.iter().map(|r| payload_text(r).parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
    assert_pending("nothing more", follower.next()).await;
}

/// A position beyond the end belongs to another log, so following restarts.
pub async fn from_beyond_the_end_is_a_restart(ledger: Arc<dyn Ledger>) {
    let newest = append_any(&*ledger, &LOG, "a", "1").await;
    let mut follower = ledger.follow(&LOG, Position(newest.0 + 1000)).await.unwrap();
    assert_eq!(with_timeout("a word", follower.next()).await, Some(LogItem::Restarted));
    assert_eq!(payload_text(&next_entry(&mut follower).await), "1");
    append_any(&*ledger, &LOG, "a", "2").await;
    assert_eq!(payload_text(&next_entry(&mut follower).await), "2");
}

/// Dropping a stream leaves the other followers unaffected.
pub async fn a_dropped_follower_disturbs_nobody(ledger: Arc<dyn Ledger>) {
    let mut stays = ledger.follow(&LOG, Position::START).await.unwrap();
    let dropped = ledger.follow(&LOG, Position::START).await.unwrap();
    append_any(&*ledger, &LOG, "a", "1").await;
    drop(dropped);
    append_any(&*ledger, &LOG, "a", "2").await;
    let entries = next_entries(&mut stays, 2).await;
    assert_eq!(entries.iter().map(payload_text).collect::<Vec<_>>(), ["1", "2"]);
}

/// Entries of one subject alone, existing and then new ones, after a position of any subject.
pub async fn one_subject_alone(ledger: Arc<dyn Ledger>) {
    let mut positions = Vec::new();
    for n in 0..6 {
        let name = if n % 2 == 0 { "a" } else { "b" };
        positions.push(append_any(&*ledger, &LOG, name, n.to_string()).await);
    }
    let a = subject("a");
    let mut all = ledger.follow_subject(&LOG, &a, Position::START).await.unwrap();
    let existing = next_entries(&mut all, 3).await;
    assert_eq!(existing.iter().map(payload_text).collect::<Vec<_>>(), ["0", "2", "4"]);
    assert_eq!(existing[1].position, positions[2]);
    let mut later = ledger.follow_subject(&LOG, &a, positions[1]).await.unwrap();
    let existing = next_entries(&mut later, 2).await;
    assert_eq!(existing.iter().map(payload_text).collect::<Vec<_>>(), ["2", "4"]);
    assert_pending("the others are not of this subject", all.next()).await;
    append_any(&*ledger, &LOG, "b", "not this").await;
    append_any(&*ledger, &LOG, "a", "live").await;
    assert_eq!(payload_text(&next_entry(&mut all).await), "live");
    assert_eq!(payload_text(&next_entry(&mut later).await), "live");
    let beyond = Position(positions[5].0 + 1000);
    let mut beyond = ledger.follow_subject(&LOG, &a, beyond).await.unwrap();
    assert_eq!(with_timeout("a word", beyond.next()).await, Some(LogItem::Restarted));
    assert_eq!(payload_text(&next_entry(&mut beyond).await), "0");
}
