//! Cases of work queues: each message goes to one worker and is kept until it is acknowledged.

use super::*;
use crate::Enqueued;
use crate::dead_letter::Cause;
use paihao_contracts::streams::WorkQueue;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

const WORK: WorkQueue = WorkQueue { name: "work", ack_wait: Duration::from_secs(60) };
const BRIEF: WorkQueue = WorkQueue { name: "brief-work", ack_wait: Duration::from_secs(2) };
const NOW: Duration = Duration::ZERO;

async fn offer(ledger: &dyn Ledger, key: &str) {
    let new = ledger.enqueue(&WORK, key, Entry::new(key.to_owned()), NOW).await.unwrap();
    assert_eq!(new, Enqueued::New, "{key}");
}

/// A message is delivered with its content, and never again once acknowledged.
pub async fn one_worker_gets_it_once(ledger: Arc<dyn Ledger>) {
    let given = Entry::new("do it").with_header("traceparent", "00-1-2-01");
    ledger.enqueue(&WORK, "k", given.clone(), NOW).await.unwrap();
    let mut worker = ledger.work(&WORK, 4).await.unwrap();
    let one = delivery(&mut worker).await;
    assert_eq!((&one.recorded.entry, one.attempt), (&given, 1));
    assert_eq!(one.recorded.subject.as_str(), WORK.name);
    assert!(one.recorded.at_ms > 0);
    one.done().await.unwrap();
    quiet("done is done", worker.next()).await;
}

/// The same key is dropped, also while the first message is open and after it is done.
pub async fn the_same_key_is_the_same_work(ledger: Arc<dyn Ledger>) {
    let again = async || ledger.enqueue(&WORK, "k", Entry::new("second"), NOW).await.unwrap();
    ledger.enqueue(&WORK, "k", Entry::new("first"), NOW).await.unwrap();
    assert_eq!(again().await, Enqueued::AlreadyThere);
    let mut worker = ledger.work(&WORK, 4).await.unwrap();
    let one = delivery(&mut worker).await;
    assert_eq!(text(&one.recorded), "first");
    assert_eq!(again().await, Enqueued::AlreadyThere);
    one.done().await.unwrap();
    assert_eq!(again().await, Enqueued::AlreadyThere);
    quiet("the same work once", worker.next()).await;
    let offers = (0..20).map(|_| ledger.enqueue(&WORK, "race", Entry::new("x"), NOW));
    let said = futures::future::join_all(offers).await;
    let new = said.into_iter().filter(|said| matches!(said, Ok(Enqueued::New))).count();
    assert_eq!(new, 1);
}

/// A key may hold anything, and different keys are different work.
pub async fn keys_hold_anything(ledger: Arc<dyn Ledger>) {
    let long = "k".repeat(300);
    let keys = ["a", "A", "a b", " a", "a ", "a*", "a.>", "号码:A001/叫号", "a\r\nb", "%20", &long];
    for key in keys {
        offer(&*ledger, key).await;
    }
    let mut worker = ledger.work(&WORK, 4).await.unwrap();
    let mut seen = Vec::new();
    for _ in keys {
        let one = delivery(&mut worker).await;
        seen.push(text(&one.recorded));
        one.done().await.unwrap();
    }
    seen.sort_unstable();
    let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

/// The first delivery comes after the delay, as attempt 1.
pub async fn waits_before_the_first_time(ledger: Arc<dyn Ledger>) {
    const DELAY: Duration = Duration::from_millis(900);
    let mut worker = ledger.work(&WORK, 4).await.unwrap();
    let begun = Instant::now();
    ledger.enqueue(&WORK, "k", Entry::new("later"), DELAY).await.unwrap();
    let one = delivery(&mut worker).await;
    assert!(begun.elapsed() >= DELAY, "came after {:?}", begun.elapsed());
    assert_eq!(text(&one.recorded), "later");
    one.done().await.unwrap();
}

/// A delayed message does not block those that are due.
pub async fn a_delayed_message_lets_others_pass(ledger: Arc<dyn Ledger>) {
    for n in 0..10 {
        let key = format!("later {n}");
        let entry = Entry::new(key.clone());
        ledger.enqueue(&WORK, &key, entry, Duration::from_secs(3600)).await.unwrap();
    }
    offer(&*ledger, "now").await;
    let mut worker = ledger.work(&WORK, 1).await.unwrap();
    assert_eq!(text(&delivery(&mut worker).await.recorded), "now");
}

/// One worker with one delivery at a time sees the messages in order.
pub async fn roughly_first_in_first_out(ledger: Arc<dyn Ledger>) {
    for n in 0..20 {
        offer(&*ledger, &n.to_string()).await;
    }
    let mut worker = ledger.work(&WORK, 1).await.unwrap();
    for n in 0..20 {
        let one = delivery(&mut worker).await;
        assert_eq!(text(&one.recorded), n.to_string());
        one.done().await.unwrap();
    }
}

/// Without workers, or after they have left, the message is kept.
pub async fn survives_until_done(ledger: Arc<dyn Ledger>) {
    offer(&*ledger, "k").await;
    for _ in 0..2 {
        let mut worker = ledger.work(&WORK, 4).await.unwrap();
        drop(delivery(&mut worker).await);
    }
    drop(ledger.work(&WORK, 4).await.unwrap());
    let mut worker = ledger.work(&WORK, 4).await.unwrap();
    let one = delivery(&mut worker).await;
    assert_eq!(text(&one.recorded), "k");
    one.done().await.unwrap();
}

/// A delivery dropped without a verdict is redelivered, and counts.
pub async fn forgetting_means_again(ledger: Arc<dyn Ledger>) {
    offer(&*ledger, "k").await;
    let mut worker = ledger.work(&WORK, 2).await.unwrap();
    for attempt in 1..=3 {
        let one = delivery(&mut worker).await;
        assert_eq!(one.attempt, attempt);
        drop(one);
    }
    delivery(&mut worker).await.done().await.unwrap();
    quiet("nothing after done", worker.next()).await;
}

/// `again` redelivers after the delay, not before.
pub async fn again_waits(ledger: Arc<dyn Ledger>) {
    const DELAY: Duration = Duration::from_millis(700);
    offer(&*ledger, "k").await;
    let mut worker = ledger.work(&WORK, 1).await.unwrap();
    let one = delivery(&mut worker).await;
    let begun = Instant::now();
    one.again(DELAY).await.unwrap();
    let one = delivery(&mut worker).await;
    assert!(begun.elapsed() >= DELAY, "came after {:?}", begun.elapsed());
    assert_eq!(one.attempt, 2);
    one.done().await.unwrap();
}

/// `never` moves the message to the dead letters, with reason, queue and key.
pub async fn never_becomes_a_dead_letter(ledger: Arc<dyn Ledger>) {
    let key = "号码:A001/叫号 %";
    let given = Entry::new("bad").with_header("traceparent", "00-1-2-01");
    ledger.enqueue(&WORK, key, given, NOW).await.unwrap();
    let mut worker = ledger.work(&WORK, 2).await.unwrap();
    let letter = buried(&*ledger, delivery(&mut worker).await, "43004: not a follower").await;
    assert_eq!(letter.subject.as_str(), WORK.name);
    assert_eq!(letter.entry.payload, "bad");
    assert_eq!(letter.entry.header("traceparent"), Some("00-1-2-01"));
    let cause = Cause::of(&letter.entry).unwrap();
    assert_eq!(cause.reason, "43004: not a follower");
    assert_eq!((cause.origin.as_str(), cause.key.as_str()), (WORK.name, key));
    quiet("never is never", worker.next()).await;
}

/// A worker has at most `in_flight` open deliveries; any verdict makes room.
pub async fn no_more_than_in_flight(ledger: Arc<dyn Ledger>) {
    for n in 0..6 {
        offer(&*ledger, &n.to_string()).await;
    }
    let mut worker = ledger.work(&WORK, 3).await.unwrap();
    let a = delivery(&mut worker).await;
    let b = delivery(&mut worker).await;
    let c = delivery(&mut worker).await;
    quiet("three are open", worker.next()).await;
    a.done().await.unwrap();
    let d = delivery(&mut worker).await;
    b.again(Duration::from_secs(3600)).await.unwrap();
    let e = delivery(&mut worker).await;
    c.never("no").await.unwrap();
    let f = delivery(&mut worker).await;
    quiet("three are open again", worker.next()).await;
    drop((d, e, f));
    assert_eq!(delivery(&mut worker).await.attempt, 2);
}

/// Extending keeps a message from going to another worker; silence does not.
pub async fn extending_keeps_it(ledger: Arc<dyn Ledger>) {
    ledger.enqueue(&BRIEF, "k", Entry::new("x"), NOW).await.unwrap();
    let mut holds = ledger.work(&BRIEF, 1).await.unwrap();
    let held = delivery(&mut holds).await;
    let begun = Instant::now();
    let mut other = ledger.work(&BRIEF, 1).await.unwrap();
    while begun.elapsed() < BRIEF.ack_wait + BRIEF.ack_wait / 2 {
        held.extend().await.unwrap();
        quiet("it is held", other.next()).await;
    }
    let one = delivery(&mut other).await;
    assert_eq!(one.attempt, 2);
    one.done().await.unwrap();
    drop(held);
}

/// With several workers every message goes to one of them.
pub async fn shared_among_workers(ledger: Arc<dyn Ledger>) {
    const COUNT: usize = 100;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let (ledger, tell) = (Arc::clone(&ledger), tell.clone());
            tokio::spawn(async move {
                let mut worker = ledger.work(&WORK, 5).await.unwrap();
                loop {
                    let one = worker.next().await.unwrap();
                    tell.send(text(&one.recorded)).unwrap();
                    one.done().await.unwrap();
                }
            })
        })
        .collect();
    for n in 0..COUNT {
        offer(&*ledger, &n.to_string()).await;
    }
    let mut times = BTreeMap::new();
    for _ in 0..COUNT {
        let what = within("a message", told.recv()).await.unwrap();
        *times.entry(what).or_insert(0) += 1;
    }
    quiet("each message once", told.recv()).await;
    assert_eq!(times.len(), COUNT);
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}

/// The same key on two queues is two pieces of work.
pub async fn queues_do_not_share(ledger: Arc<dyn Ledger>) {
    offer(&*ledger, "k").await;
    let there = ledger.enqueue(&BRIEF, "k", Entry::new("there"), NOW).await.unwrap();
    assert_eq!(there, Enqueued::New);
    let mut worker = ledger.work(&BRIEF, 4).await.unwrap();
    let one = delivery(&mut worker).await;
    assert_eq!(text(&one.recorded), "there");
    one.done().await.unwrap();
    quiet("another queue's work", worker.next()).await;
}
