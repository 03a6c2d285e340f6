//! Cases of shared consumers: members divide a log among themselves, and unfinished entries are
//! redelivered.

use super::*;
use crate::dead_letter::Cause;
use paihao_contracts::streams::Consumer;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

const PLANNER: Consumer = Consumer { name: "planner", ack_wait: Duration::from_secs(60) };
const IMPATIENT: Consumer = Consumer { name: "impatient", ack_wait: Duration::from_secs(2) };

/// A new consumer begins at the oldest entry, and new entries wake its waiting members.
pub async fn begins_at_the_oldest_and_goes_on(ledger: Arc<dyn Ledger>) {
    let position = put(&*ledger, &LOG, "a", "old").await;
    let mut member = ledger.consume(&LOG, &PLANNER, 4).await.unwrap();
    let old = delivery(&mut member).await;
    assert_eq!((text(&old.recorded).as_str(), old.attempt), ("old", 1));
    assert_eq!((old.recorded.position, &old.recorded.subject), (position, &subject("a")));
    old.done().await.unwrap();
    let waiting = tokio::spawn(async move {
        let new = delivery(&mut member).await;
        let seen = text(&new.recorded);
        new.done().await.unwrap();
        seen
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    put(&*ledger, &LOG, "b", "new").await;
    assert_eq!(within("the waiting member", waiting).await.unwrap(), "new");
}

/// With healthy members no entry is delivered twice and none is left.
pub async fn each_entry_to_exactly_one_member(ledger: Arc<dyn Ledger>) {
    const COUNT: usize = 120;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let members: Vec<_> = (0..3)
        .map(|_| {
            let (ledger, tell) = (Arc::clone(&ledger), tell.clone());
            tokio::spawn(async move {
                let mut member = ledger.consume(&LOG, &PLANNER, 5).await.unwrap();
                loop {
                    let one = member.next().await.unwrap();
                    tell.send((text(&one.recorded), one.attempt)).unwrap();
                    one.done().await.unwrap();
                }
            })
        })
        .collect();
    for n in 0..COUNT {
        put(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut times = BTreeMap::new();
    for _ in 0..COUNT {
        let (what, attempt) = within("an entry", told.recv()).await.unwrap();
        assert_eq!(attempt, 1);
        *times.entry(what).or_insert(0) += 1;
    }
    quiet("each entry once", told.recv()).await;
    assert_eq!(times.len(), COUNT);
    members.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A single member with one delivery at a time gets the entries in order.
pub async fn keeps_the_order_for_one_member(ledger: Arc<dyn Ledger>) {
    for n in 0..20 {
        put(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    for n in 0..20 {
        let one = delivery(&mut member).await;
        assert_eq!(text(&one.recorded), n.to_string());
        one.done().await.unwrap();
    }
}

/// A delivery dropped without a verdict is redelivered long before its ack-wait, and counts.
pub async fn forgetting_means_again(ledger: Arc<dyn Ledger>) {
    put(&*ledger, &LOG, "a", "x").await;
    let mut member = ledger.consume(&LOG, &PLANNER, 2).await.unwrap();
    for attempt in 1..=3 {
        let one = delivery(&mut member).await;
        assert_eq!((text(&one.recorded).as_str(), one.attempt), ("x", attempt));
        drop(one);
    }
    delivery(&mut member).await.done().await.unwrap();
    quiet("nothing after done", member.next()).await;
}

/// `again` redelivers after the delay, not before, and lets others pass.
pub async fn again_waits(ledger: Arc<dyn Ledger>) {
    const DELAY: Duration = Duration::from_millis(700);
    put(&*ledger, &LOG, "a", "later").await;
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    let one = delivery(&mut member).await;
    let begun = Instant::now();
    one.again(DELAY).await.unwrap();
    put(&*ledger, &LOG, "a", "now").await;
    let other = delivery(&mut member).await;
    assert_eq!(text(&other.recorded), "now");
    other.done().await.unwrap();
    let one = delivery(&mut member).await;
    assert!(begun.elapsed() >= DELAY, "came after {:?}", begun.elapsed());
    assert_eq!((text(&one.recorded).as_str(), one.attempt), ("later", 2));
    one.done().await.unwrap();
}

/// `never` moves the entry to the dead letters, with reason and origin.
pub async fn never_becomes_a_dead_letter(ledger: Arc<dyn Ledger>) {
    let given = Entry::new("bad").with_header("traceparent", "00-1-2-01");
    let subject = subject("a");
    let append = ledger.append(&LOG, &subject, crate::Expect::Anything, given);
    let position = append.await.unwrap();
    let mut member = ledger.consume(&LOG, &PLANNER, 2).await.unwrap();
    let letter = buried(&*ledger, delivery(&mut member).await, "坏了\r\nreally").await;
    assert_eq!(letter.subject.as_str(), LOG.name);
    assert_eq!(letter.entry.payload, "bad");
    assert_eq!(letter.entry.header("traceparent"), Some("00-1-2-01"));
    let cause = Cause::of(&letter.entry).unwrap();
    assert_eq!((cause.reason.as_str(), cause.origin.as_str()), ("坏了\r\nreally", LOG.name));
    assert_eq!(cause.key, format!("acc.a/{}", position.0));
    quiet("never is never", member.next()).await;
}

/// A member has at most `in_flight` open deliveries; finishing one makes room.
pub async fn no_more_than_in_flight(ledger: Arc<dyn Ledger>) {
    for n in 0..5 {
        put(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut member = ledger.consume(&LOG, &PLANNER, 2).await.unwrap();
    let (first, second) = (delivery(&mut member).await, delivery(&mut member).await);
    quiet("two are open", member.next()).await;
    first.done().await.unwrap();
    let third = delivery(&mut member).await;
    quiet("two are open again", member.next()).await;
    let mut other = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    assert_eq!(text(&delivery(&mut other).await.recorded), "3");
    second.done().await.unwrap();
    third.done().await.unwrap();
}

/// The store keeps the acknowledgements after all members have left.
pub async fn what_is_done_stays_done(ledger: Arc<dyn Ledger>) {
    for n in 0..4 {
        put(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    for _ in 0..2 {
        delivery(&mut member).await.done().await.unwrap();
    }
    drop(member);
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    for left in ["2", "3"] {
        let one = delivery(&mut member).await;
        assert_eq!(text(&one.recorded), left);
        one.done().await.unwrap();
    }
    quiet("nothing is left", member.next()).await;
}

/// A leaving member returns its deliveries, prefetched or dropped.
pub async fn members_leaving_hand_over(ledger: Arc<dyn Ledger>) {
    for n in 0..20 {
        put(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut leaves = ledger.consume(&LOG, &PLANNER, 8).await.unwrap();
    let held = (delivery(&mut leaves).await, delivery(&mut leaves).await);
    let mut stays = ledger.consume(&LOG, &PLANNER, 4).await.unwrap();
    drop(leaves);
    drop(held);
    let mut seen = BTreeMap::new();
    while seen.len() < 20 {
        let one = delivery(&mut stays).await;
        seen.insert(text(&one.recorded), ());
        one.done().await.unwrap();
    }
}

/// An entry neither finished nor extended within the ack-wait goes to another member.
pub async fn a_member_that_says_nothing_loses_it(ledger: Arc<dyn Ledger>) {
    put(&*ledger, &LOG, "a", "x").await;
    let mut silent = ledger.consume(&LOG, &IMPATIENT, 1).await.unwrap();
    let held = delivery(&mut silent).await;
    let begun = Instant::now();
    let mut other = ledger.consume(&LOG, &IMPATIENT, 1).await.unwrap();
    let one = delivery(&mut other).await;
    assert!(begun.elapsed() >= IMPATIENT.ack_wait / 2, "came after {:?}", begun.elapsed());
    assert_eq!(one.attempt, 2);
    one.done().await.unwrap();
    drop(held);
}

/// Extending keeps an entry from going to another member.
pub async fn extending_keeps_it(ledger: Arc<dyn Ledger>) {
    put(&*ledger, &LOG, "a", "x").await;
    let mut holds = ledger.consume(&LOG, &IMPATIENT, 1).await.unwrap();
    let held = delivery(&mut holds).await;
    let begun = Instant::now();
    let mut other = ledger.consume(&LOG, &IMPATIENT, 1).await.unwrap();
    while begun.elapsed() < IMPATIENT.ack_wait + IMPATIENT.ack_wait / 2 {
        held.extend().await.unwrap();
        quiet("it is held", other.next()).await;
    }
    held.done().await.unwrap();
}

/// Two consumers of one log each get everything.
pub async fn consumers_do_not_share(ledger: Arc<dyn Ledger>) {
    const SECOND: Consumer = Consumer { name: "second", ack_wait: Duration::from_secs(60) };
    put(&*ledger, &LOG, "a", "x").await;
    for consumer in [PLANNER, SECOND] {
        let mut member = ledger.consume(&LOG, &consumer, 1).await.unwrap();
        let one = delivery(&mut member).await;
        assert_eq!((text(&one.recorded).as_str(), one.attempt), ("x", 1));
        one.done().await.unwrap();
    }
}
