//! Cases of work queues: each message goes to one worker and stays until it is acknowledged.

use super::*;
use crate::dead_letter::Cause;
use crate::{EnqueueOutcome, QueueBacklog};
use paihao_contracts::streams::WorkQueue;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

const QUEUE: WorkQueue = WorkQueue { name: "work", ack_wait: Duration::from_secs(60) };
const SHORT_ACK_QUEUE: WorkQueue =
    WorkQueue { name: "brief-work", ack_wait: Duration::from_secs(2) };
const NO_DELAY: Duration = Duration::ZERO;

async fn enqueue_new(ledger: &dyn Ledger, key: &str) {
    let new = ledger.enqueue(&QUEUE, key, Entry::new(key.to_owned()), NO_DELAY).await.unwrap();
    assert_eq!(new, EnqueueOutcome::New, "{key}");
}

/// A message arrives unchanged and is not redelivered after its acknowledgement.
pub async fn one_worker_gets_it_once(ledger: Arc<dyn Ledger>) {
    let entry = Entry::new("do it").with_header("traceparent", "00-1-2-01");
    ledger.enqueue(&QUEUE, "k", entry.clone(), NO_DELAY).await.unwrap();
    let mut worker = ledger.consume_queue(&QUEUE, 4).await.unwrap();
    let one = next_delivery(&mut worker).await;
    assert_eq!((&one.message.entry, one.attempt), (&entry, 1));
    assert_eq!(one.message.subject.as_str(), QUEUE.name);
    assert!(one.message.at_ms > 0);
    one.ack().await.unwrap();
    assert_pending("done is done", worker.next()).await;
}

/// A duplicate key is dropped, also while the first message is open and after its acknowledgement.
pub async fn a_duplicate_key_is_dropped(ledger: Arc<dyn Ledger>) {
    let enqueue_again =
        async || ledger.enqueue(&QUEUE, "k", Entry::new("second"), NO_DELAY).await.unwrap();
    ledger.enqueue(&QUEUE, "k", Entry::new("first"), NO_DELAY).await.unwrap();
    assert_eq!(enqueue_again().await, EnqueueOutcome::Duplicate);
    let mut worker = ledger.consume_queue(&QUEUE, 4).await.unwrap();
    let one = next_delivery(&mut worker).await;
    assert_eq!(payload_text(&one.message), "first");
    assert_eq!(enqueue_again().await, EnqueueOutcome::Duplicate);
    one.ack().await.unwrap();
    assert_eq!(enqueue_again().await, EnqueueOutcome::Duplicate);
    assert_pending("the same work once", worker.next()).await;
    let offers = (0..20).map(|_| ledger.enqueue(&QUEUE, "race", Entry::new("x"), NO_DELAY));
    let outcomes = futures::future::join_all(offers).await;
    let new =
        outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(EnqueueOutcome::New))).count();
    assert_eq!(new, 1);
}

/// Keys may contain any text, and different keys are different messages.
pub async fn keys_may_contain_any_text(ledger: Arc<dyn Ledger>) {
    let long = "k".repeat(300);
    let keys = ["a", "A", "a b", " a", "a ", "a*", "a.>", "号码:A001/叫号", "a\r\nb", "%20", &long];
    for key in keys {
        enqueue_new(&*ledger, key).await;
    }
    let mut worker = ledger.consume_queue(&QUEUE, 4).await.unwrap();
    let mut texts = Vec::new();
    for _ in keys {
        let one = next_delivery(&mut worker).await;
        texts.push(payload_text(&one.message));
        one.ack().await.unwrap();
    }
    texts.sort_unstable();
    let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected);
}

/// The first delivery occurs after the delay and is attempt 1.
pub async fn waits_before_the_first_time(ledger: Arc<dyn Ledger>) {
    const DELAY: Duration = Duration::from_millis(900);
    let mut worker = ledger.consume_queue(&QUEUE, 4).await.unwrap();
    let started = Instant::now();
    ledger.enqueue(&QUEUE, "k", Entry::new("later"), DELAY).await.unwrap();
    let one = next_delivery(&mut worker).await;
    assert!(started.elapsed() >= DELAY, "came after {:?}", started.elapsed());
    assert_eq!(payload_text(&one.message), "later");
    one.ack().await.unwrap();
}

/// A delayed message does not block others.
pub async fn a_delayed_message_lets_others_pass(ledger: Arc<dyn Ledger>) {
    for n in 0..10 {
        let key = format!("later {n}");
        let entry = Entry::new(key.clone());
        ledger.enqueue(&QUEUE, &key, entry, Duration::from_secs(3600)).await.unwrap();
    }
    enqueue_new(&*ledger, "now").await;
    let mut worker = ledger.consume_queue(&QUEUE, 1).await.unwrap();
    assert_eq!(payload_text(&next_delivery(&mut worker).await.message), "now");
}

/// A single worker with one delivery at a time gets the messages in order.
pub async fn roughly_first_in_first_out(ledger: Arc<dyn Ledger>) {
    for n in 0..20 {
        enqueue_new(&*ledger, &n.to_string()).await;
    }
    let mut worker = ledger.consume_queue(&QUEUE, 1).await.unwrap();
    for n in 0..20 {
        let one = next_delivery(&mut worker).await;
        assert_eq!(payload_text(&one.message), n.to_string());
        one.ack().await.unwrap();
    }
}

/// A message survives without workers and the departure of workers.
pub async fn survives_until_acknowledged(ledger: Arc<dyn Ledger>) {
    enqueue_new(&*ledger, "k").await;
    for _ in 0..2 {
        let mut worker = ledger.consume_queue(&QUEUE, 4).await.unwrap();
        drop(next_delivery(&mut worker).await);
    }
    drop(ledger.consume_queue(&QUEUE, 4).await.unwrap());
    let mut worker = ledger.consume_queue(&QUEUE, 4).await.unwrap();
    let one = next_delivery(&mut worker).await;
    assert_eq!(payload_text(&one.message), "k");
    one.ack().await.unwrap();
}

/// A delivery dropped without a disposition is redelivered and counts as an attempt.
pub async fn a_dropped_delivery_is_redelivered(ledger: Arc<dyn Ledger>) {
    enqueue_new(&*ledger, "k").await;
    let mut worker = ledger.consume_queue(&QUEUE, 2).await.unwrap();
    for attempt in 1..=3 {
        let one = next_delivery(&mut worker).await;
        assert_eq!(one.attempt, attempt);
        drop(one);
    }
    next_delivery(&mut worker).await.ack().await.unwrap();
    assert_pending("nothing after done", worker.next()).await;
}

/// `retry_after` redelivers after the delay, not before.
pub async fn retry_after_waits(ledger: Arc<dyn Ledger>) {
    const DELAY: Duration = Duration::from_millis(700);
    enqueue_new(&*ledger, "k").await;
    let mut worker = ledger.consume_queue(&QUEUE, 1).await.unwrap();
    let one = next_delivery(&mut worker).await;
    let started = Instant::now();
    one.retry_after(DELAY).await.unwrap();
    let one = next_delivery(&mut worker).await;
    assert!(started.elapsed() >= DELAY, "came after {:?}", started.elapsed());
    assert_eq!(one.attempt, 2);
    one.ack().await.unwrap();
}

/// `dead_letter` moves the message to the dead letters, with its reason, queue and key.
pub async fn dead_letter_keeps_reason_and_origin(ledger: Arc<dyn Ledger>) {
    let key = "号码:A001/叫号 %";
    let entry = Entry::new("bad").with_header("traceparent", "00-1-2-01");
    ledger.enqueue(&QUEUE, key, entry, NO_DELAY).await.unwrap();
    let mut worker = ledger.consume_queue(&QUEUE, 2).await.unwrap();
    let dead_letter =
        dead_letter_and_find(&*ledger, next_delivery(&mut worker).await, "43004: not a follower")
            .await;
    assert_eq!(dead_letter.subject.as_str(), QUEUE.name);
    assert_eq!(dead_letter.entry.payload, "bad");
    assert_eq!(dead_letter.entry.header("traceparent"), Some("00-1-2-01"));
    let cause = Cause::from_dead_letter(&dead_letter.entry).unwrap();
    assert_eq!(cause.reason, "43004: not a follower");
    assert_eq!((cause.origin.as_str(), cause.key.as_str()), (QUEUE.name, key));
    assert_pending("never is never", worker.next()).await;
}

/// At most `in_flight` deliveries of a worker are open. Any disposition admits the next.
pub async fn no_more_than_in_flight(ledger: Arc<dyn Ledger>) {
    for n in 0..6 {
        enqueue_new(&*ledger, &n.to_string()).await;
    }
    let mut worker = ledger.consume_queue(&QUEUE, 3).await.unwrap();
    let a = next_delivery(&mut worker).await;
    let b = next_delivery(&mut worker).await;
    let c = next_delivery(&mut worker).await;
    assert_pending("three are open", worker.next()).await;
    a.ack().await.unwrap();
    let d = next_delivery(&mut worker).await;
    b.retry_after(Duration::from_secs(3600)).await.unwrap();
    let e = next_delivery(&mut worker).await;
    c.dead_letter("no").await.unwrap();
    let f = next_delivery(&mut worker).await;
    assert_pending("three are open again", worker.next()).await;
    drop((d, e, f));
    assert_eq!(next_delivery(&mut worker).await.attempt, 2);
}

/// Extending keeps a message with its worker, until the ack-wait passes without an extension.
pub async fn extending_keeps_it(ledger: Arc<dyn Ledger>) {
    ledger.enqueue(&SHORT_ACK_QUEUE, "k", Entry::new("x"), NO_DELAY).await.unwrap();
    let mut holds = ledger.consume_queue(&SHORT_ACK_QUEUE, 1).await.unwrap();
    let delivery = next_delivery(&mut holds).await;
    let started = Instant::now();
    let mut other = ledger.consume_queue(&SHORT_ACK_QUEUE, 1).await.unwrap();
    while started.elapsed() < SHORT_ACK_QUEUE.ack_wait + SHORT_ACK_QUEUE.ack_wait / 2 {
        delivery.extend().await.unwrap();
        assert_pending("it is held", other.next()).await;
    }
    let one = next_delivery(&mut other).await;
    assert_eq!(one.attempt, 2);
    one.ack().await.unwrap();
    drop(delivery);
}

/// Several workers share a queue, and each message goes to one of them.
pub async fn shared_among_workers(ledger: Arc<dyn Ledger>) {
    const COUNT: usize = 100;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let ledger = Arc::clone(&ledger);
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut worker = ledger.consume_queue(&QUEUE, 5).await.unwrap();
                loop {
                    let one = worker.next().await.unwrap();
                    sender.send(payload_text(&one.message)).unwrap();
                    one.ack().await.unwrap();
                }
            })
        })
        .collect();
    for n in 0..COUNT {
        enqueue_new(&*ledger, &n.to_string()).await;
    }
    let mut times = BTreeMap::new();
    for _ in 0..COUNT {
        let text = with_timeout("a message", receiver.recv()).await.unwrap();
        *times.entry(text).or_insert(0) += 1;
    }
    assert_pending("each message once", receiver.recv()).await;
    assert_eq!(times.len(), COUNT);
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}

/// The same key on two queues names two messages.
pub async fn queues_do_not_share(ledger: Arc<dyn Ledger>) {
    enqueue_new(&*ledger, "k").await;
    let outcome =
        ledger.enqueue(&SHORT_ACK_QUEUE, "k", Entry::new("there"), NO_DELAY).await.unwrap();
    assert_eq!(outcome, EnqueueOutcome::New);
    let mut worker = ledger.consume_queue(&SHORT_ACK_QUEUE, 4).await.unwrap();
    let one = next_delivery(&mut worker).await;
    assert_eq!(payload_text(&one.message), "there");
    one.ack().await.unwrap();
    assert_pending("another queue's work", worker.next()).await;
}

/// The backlog counts what waits, what is delayed and what is being worked on, and names the
/// oldest.
pub async fn the_backlog_is_all_that_is_not_acknowledged(ledger: Arc<dyn Ledger>) {
    let backlog = async || ledger.backlog(&QUEUE).await.unwrap();
    assert_eq!(backlog().await, QueueBacklog::default(), "nobody enqueued or joined");
    enqueue_new(&*ledger, "first").await;
    let oldest = backlog().await.oldest_at_ms;
    assert!(oldest.is_some_and(|at_ms| at_ms > 0), "{oldest:?}");
    // The two times differ, whatever the store's resolution.
    tokio::time::sleep(Duration::from_millis(30)).await;
    enqueue_new(&*ledger, "second").await;
    let later = Duration::from_secs(3600);
    ledger.enqueue(&QUEUE, "delayed", Entry::new("x"), later).await.unwrap();
    assert_eq!(backlog().await, QueueBacklog { messages: 3, oldest_at_ms: oldest });

    let mut worker = ledger.consume_queue(&QUEUE, 2).await.unwrap();
    let first = next_delivery(&mut worker).await;
    assert_eq!(payload_text(&first.message), "first");
    assert_eq!(backlog().await, QueueBacklog { messages: 3, oldest_at_ms: oldest });
    first.ack().await.unwrap();
    let second = next_delivery(&mut worker).await;
    second.retry_after(Duration::from_secs(60)).await.unwrap();
    // A replicated store may take out after the answer what was acknowledged.
    with_timeout("one waits for another try, one for its first", async {
        loop {
            let rest = backlog().await;
            if rest.messages == 2 && rest.oldest_at_ms > oldest {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(ledger.backlog(&SHORT_ACK_QUEUE).await.unwrap(), QueueBacklog::default());
}
