//! Cases of shared consumers: members divide a log, and unacknowledged entries are redelivered.

use super::*;
use crate::dead_letter::Cause;
use paihao_contracts::streams::Consumer;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

const PLANNER: Consumer = Consumer::prompt("planner", Duration::from_secs(60));
const SHORT_ACK_CONSUMER: Consumer = Consumer::prompt("impatient", Duration::from_secs(2));

/// A new consumer begins at the oldest entry, and new entries wake its waiting members.
pub async fn begins_at_the_oldest_and_goes_on(ledger: Arc<dyn Ledger>) {
    let position = append_any(&*ledger, &LOG, "a", "old").await;
    let mut member = ledger.consume(&LOG, &PLANNER, 4).await.unwrap();
    let old = next_delivery(&mut member).await;
    assert_eq!((payload_text(&old.message).as_str(), old.attempt), ("old", 1));
    assert_eq!((old.message.position, &old.message.subject), (position, &subject("a")));
    old.ack().await.unwrap();
    let waiting = tokio::spawn(async move {
        let new = next_delivery(&mut member).await;
        let text = payload_text(&new.message);
        new.ack().await.unwrap();
        text
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    append_any(&*ledger, &LOG, "b", "new").await;
    assert_eq!(with_timeout("the waiting member", waiting).await.unwrap(), "new");
}

/// With healthy members every entry is delivered exactly once.
pub async fn each_entry_to_exactly_one_member(ledger: Arc<dyn Ledger>) {
    const COUNT: usize = 120;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let members: Vec<_> = (0..3)
        .map(|_| {
            let ledger = Arc::clone(&ledger);
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut member = ledger.consume(&LOG, &PLANNER, 5).await.unwrap();
                loop {
                    let one = member.next().await.unwrap();
                    sender.send((payload_text(&one.message), one.attempt)).unwrap();
                    one.ack().await.unwrap();
                }
            })
        })
        .collect();
    for n in 0..COUNT {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut times = BTreeMap::new();
    for _ in 0..COUNT {
        let (text, attempt) = with_timeout("an entry", receiver.recv()).await.unwrap();
        assert_eq!(attempt, 1);
        *times.entry(text).or_insert(0) += 1;
    }
    assert_pending("each entry once", receiver.recv()).await;
    assert_eq!(times.len(), COUNT);
    members.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A single member with one delivery at a time gets the entries in order.
pub async fn keeps_the_order_for_one_member(ledger: Arc<dyn Ledger>) {
    for n in 0..20 {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    for n in 0..20 {
        let one = next_delivery(&mut member).await;
        assert_eq!(payload_text(&one.message), n.to_string());
        one.ack().await.unwrap();
    }
}

/// A delivery dropped without a disposition is redelivered long before its ack-wait and counts as
/// an attempt.
pub async fn a_dropped_delivery_is_redelivered(ledger: Arc<dyn Ledger>) {
    append_any(&*ledger, &LOG, "a", "x").await;
    let mut member = ledger.consume(&LOG, &PLANNER, 2).await.unwrap();
    for attempt in 1..=3 {
        let one = next_delivery(&mut member).await;
        assert_eq!((payload_text(&one.message).as_str(), one.attempt), ("x", attempt));
        drop(one);
    }
    next_delivery(&mut member).await.ack().await.unwrap();
    assert_pending("nothing after done", member.next()).await;
}

/// `retry_after` redelivers after the delay, not before, and does not block other entries.
pub async fn retry_after_waits(ledger: Arc<dyn Ledger>) {
    const DELAY: Duration = Duration::from_millis(700);
    append_any(&*ledger, &LOG, "a", "later").await;
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    let one = next_delivery(&mut member).await;
    let started = Instant::now();
    one.retry_after(DELAY).await.unwrap();
    append_any(&*ledger, &LOG, "a", "now").await;
    let other = next_delivery(&mut member).await;
    assert_eq!(payload_text(&other.message), "now");
    other.ack().await.unwrap();
    let one = next_delivery(&mut member).await;
    assert!(started.elapsed() >= DELAY, "came after {:?}", started.elapsed());
    assert_eq!((payload_text(&one.message).as_str(), one.attempt), ("later", 2));
    one.ack().await.unwrap();
}

/// `dead_letter` moves the entry to the dead letters, with its reason and origin.
pub async fn dead_letter_keeps_reason_and_origin(ledger: Arc<dyn Ledger>) {
    let entry = Entry::new("bad").with_header("traceparent", "00-1-2-01");
    let subject = subject("a");
    let append = ledger.append(&LOG, &subject, crate::ExpectedPosition::Any, entry);
    let position = append.await.unwrap();
    let mut member = ledger.consume(&LOG, &PLANNER, 2).await.unwrap();
    let dead_letter =
        dead_letter_and_find(&*ledger, next_delivery(&mut member).await, "坏了\r\nreally").await;
    assert_eq!(dead_letter.subject.as_str(), LOG.name);
    assert_eq!(dead_letter.entry.payload, "bad");
    assert_eq!(dead_letter.entry.header("traceparent"), Some("00-1-2-01"));
    let cause = Cause::from_dead_letter(&dead_letter.entry).unwrap();
    assert_eq!((cause.reason.as_str(), cause.origin.as_str()), ("坏了\r\nreally", LOG.name));
    assert_eq!(cause.key, format!("acc.a/{}", position.0));
    assert_pending("never is never", member.next()).await;
}

/// At most `in_flight` deliveries of a member are open. Finishing one admits the next.
pub async fn no_more_than_in_flight(ledger: Arc<dyn Ledger>) {
    for n in 0..5 {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut member = ledger.consume(&LOG, &PLANNER, 2).await.unwrap();
    let first = next_delivery(&mut member).await;
    let second = next_delivery(&mut member).await;
    assert_pending("two are open", member.next()).await;
    first.ack().await.unwrap();
    let third = next_delivery(&mut member).await;
    assert_pending("two are open again", member.next()).await;
    let mut other = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    assert_eq!(payload_text(&next_delivery(&mut other).await.message), "3");
    second.ack().await.unwrap();
    third.ack().await.unwrap();
}

/// Acknowledgements survive the departure of all members.
pub async fn acknowledged_entries_stay_acknowledged(ledger: Arc<dyn Ledger>) {
    for n in 0..4 {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    for _ in 0..2 {
        next_delivery(&mut member).await.ack().await.unwrap();
    }
    drop(member);
    let mut member = ledger.consume(&LOG, &PLANNER, 1).await.unwrap();
    for expected in ["2", "3"] {
        let one = next_delivery(&mut member).await;
        assert_eq!(payload_text(&one.message), expected);
        one.ack().await.unwrap();
    }
    assert_pending("nothing is left", member.next()).await;
}

/// A member that leaves gives back its open and prefetched entries.
pub async fn a_leaving_member_gives_back_its_entries(ledger: Arc<dyn Ledger>) {
    for n in 0..20 {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut leaving = ledger.consume(&LOG, &PLANNER, 8).await.unwrap();
    let deliveries = (next_delivery(&mut leaving).await, next_delivery(&mut leaving).await);
    let mut stays = ledger.consume(&LOG, &PLANNER, 4).await.unwrap();
    drop(leaving);
    drop(deliveries);
    let mut texts = BTreeMap::new();
    while texts.len() < 20 {
        let one = next_delivery(&mut stays).await;
        texts.insert(payload_text(&one.message), ());
        one.ack().await.unwrap();
    }
}

/// An entry that is neither finished nor extended within the ack-wait goes to another member.
pub async fn an_unacknowledged_entry_goes_to_another_member(ledger: Arc<dyn Ledger>) {
    append_any(&*ledger, &LOG, "a", "x").await;
    let mut silent = ledger.consume(&LOG, &SHORT_ACK_CONSUMER, 1).await.unwrap();
    let delivery = next_delivery(&mut silent).await;
    let started = Instant::now();
    let mut other = ledger.consume(&LOG, &SHORT_ACK_CONSUMER, 1).await.unwrap();
    let one = next_delivery(&mut other).await;
    assert!(
        started.elapsed() >= SHORT_ACK_CONSUMER.ack_wait / 2,
        "came after {:?}",
        started.elapsed()
    );
    assert_eq!(one.attempt, 2);
    one.ack().await.unwrap();
    drop(delivery);
}

/// Extending keeps an entry with its member.
pub async fn extending_keeps_it(ledger: Arc<dyn Ledger>) {
    append_any(&*ledger, &LOG, "a", "x").await;
    let mut holds = ledger.consume(&LOG, &SHORT_ACK_CONSUMER, 1).await.unwrap();
    let delivery = next_delivery(&mut holds).await;
    let started = Instant::now();
    let mut other = ledger.consume(&LOG, &SHORT_ACK_CONSUMER, 1).await.unwrap();
    while started.elapsed() < SHORT_ACK_CONSUMER.ack_wait + SHORT_ACK_CONSUMER.ack_wait / 2 {
        delivery.extend().await.unwrap();
        assert_pending("it is held", other.next()).await;
    }
    delivery.ack().await.unwrap();
}

/// Two consumers of one log each get all entries.
pub async fn consumers_do_not_share(ledger: Arc<dyn Ledger>) {
    const SECOND: Consumer = Consumer::prompt("second", Duration::from_secs(60));
    append_any(&*ledger, &LOG, "a", "x").await;
    for consumer in [PLANNER, SECOND] {
        let mut member = ledger.consume(&LOG, &consumer, 1).await.unwrap();
        let one = next_delivery(&mut member).await;
        assert_eq!((payload_text(&one.message).as_str(), one.attempt), ("x", 1));
        one.ack().await.unwrap();
    }
}

/// Members of a consumer whose entries may be gathered get each entry once, those that come while
/// others gather and those that were there before.
pub async fn a_gathering_consumer_gets_every_entry_once(ledger: Arc<dyn Ledger>) {
    const GATHERING: Consumer = Consumer {
        gather: Duration::from_millis(300),
        ..Consumer::prompt("gathering", Duration::from_secs(60))
    };
    const EACH: usize = 20;
    for n in 0..EACH {
        append_any(&*ledger, &LOG, "a", n.to_string()).await;
    }
    let mut members = [
        ledger.consume(&LOG, &GATHERING, 4).await.unwrap(),
        ledger.consume(&LOG, &GATHERING, 4).await.unwrap(),
    ];
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for n in 0..2 * EACH {
        if n % 2 == 0 {
            append_any(&*ledger, &LOG, "a", (EACH + n / 2).to_string()).await;
        }
        let [one, other] = &mut members;
        let next = async {
            tokio::select! {
                one = one.next() => one,
                other = other.next() => other,
            }
        };
        let one = with_timeout("an entry", next).await.unwrap();
        *times.entry(payload_text(&one.message)).or_default() += 1;
        one.ack().await.unwrap();
    }
    assert_eq!(times.len(), 2 * EACH, "{times:?}");
    let [one, other] = &mut members;
    assert_pending("each entry once", one.next()).await;
    assert_pending("each entry once", other.next()).await;
}
