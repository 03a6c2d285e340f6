//! Tests of redriven dead letters: each is sent once, and only if it is still valid.

use crate::support::{START_MS, TestEnv, notice_key, open_id};
use futures::StreamExt;
use paihao_contracts::dead_letter::{
    DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT, redrive_key,
};
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::streams::{DEAD_LETTERS, Log};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};
use std::time::Duration;
use wechat_sim::{Fault, SimTemplate};

/// Waits until a log has this many entries and returns them.
async fn wait_for_entries(env: &TestEnv, log: &Log, count: usize) -> Vec<StoredEntry> {
    let mut follower = env.ledger.follow(log, Position::START).await.unwrap();
    let mut entries = Vec::new();
    while entries.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(30), follower.next()).await;
        let Ok(Some(LogItem::Entry(recorded))) = next else { panic!("only {entries:?}") };
        entries.push(recorded);
    }
    entries
}

/// Requests the redrive of a dead letter this many times.
async fn request_redrive(env: &TestEnv, dead_letter: &StoredEntry, newest: u32, times: usize) {
    let action = DeadLetterAction::Redriven { newest };
    let resolution = DeadLetterResolution { v: 1, at: START_MS, by: "boss".to_owned(), action };
    let subject = Subject::new(&[HANDLED_SUBJECT, &dead_letter.position.0.to_string()]).unwrap();
    for _ in 0..times {
        let entry = Entry::new(serde_json::to_vec(&resolution).unwrap());
        env.ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }
}

/// Returns an environment in which the first notice was refused for a missing template that is
/// back.
async fn env_with_refused_notice() -> (TestEnv, StoredEntry) {
    let env = TestEnv::new().await;
    env.add_followers(1..10);
    env.wechat.add_fault(Fault::errcode(crate::support::TEMPLATE_SEND_PATH, 40037).times(1));
    env.notifier(SimTemplate::DEMO_CALLED);
    env.enqueue_notice(1, |_| {}).await;
    let dead_letter = wait_for_entries(&env, &DEAD_LETTERS, 1).await.remove(0);
    let cause = Cause::from_dead_letter(&dead_letter.entry).unwrap();
    assert!(cause.reason.contains("40037 template_unknown"), "{cause:?}");
    (env, dead_letter)
}

#[tokio::test]
async fn a_dead_letter_is_sent_once_however_often_it_is_redriven() {
    let (env, dead_letter) = env_with_refused_notice().await;
    request_redrive(&env, &dead_letter, 1, 3).await;
    let ended = env.wait_for_outcomes(2).await;
    assert!(
        matches!(ended[&redrive_key(&notice_key(1))], DeliveryOutcome::Sent { .. }),
        "{ended:?}"
    );
    assert!(
        matches!(ended[&notice_key(1)], DeliveryOutcome::Refused { code: 40037, .. }),
        "as it was"
    );
    // A second notice is sent, and the first one was not sent twice before it.
    env.enqueue_notice(2, |_| {}).await;
    env.wait_for_outcomes(3).await;
    assert_eq!(env.wechat.messages(&open_id(1)).len(), 1);
}

#[tokio::test]
async fn a_redriven_notice_can_be_stale_or_superseded() {
    let (env, dead_letter) = env_with_refused_notice().await;
    // The cache has lost the ticket's order, but the request carries the newest order number.
    request_redrive(&env, &dead_letter, 2, 1).await;
    let ended = env.wait_for_outcomes(2).await;
    assert_eq!(ended[&redrive_key(&notice_key(1))], DeliveryOutcome::Superseded);

    let (env, dead_letter) = env_with_refused_notice().await;
    env.clock.advance(Duration::from_secs(600));
    request_redrive(&env, &dead_letter, 1, 1).await;
    let ended = env.wait_for_outcomes(2).await;
    assert_eq!(ended[&redrive_key(&notice_key(1))], DeliveryOutcome::Stale);
    assert_eq!(env.wechat.messages(&open_id(1)).len(), 0);
}

#[tokio::test]
async fn a_notice_that_wechat_may_have_is_never_redriven() {
    let (env, dead_letter) = env_with_refused_notice().await;
    // A dead letter of a notice without a recorded refusal.
    let mut notice: serde_json::Value = serde_json::from_slice(&dead_letter.entry.payload).unwrap();
    notice["key"] = "hall/20780/3/called#1".into();
    let cause = Cause {
        key: "hall/20780/3/called#1".into(),
        ..Cause::from_dead_letter(&dead_letter.entry).unwrap()
    };
    let copy = cause.to_dead_letter(&Entry::new(notice.to_string()));
    let subject = Subject::new(&["notices"]).unwrap();
    let position = env.ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, copy).await;
    request_redrive(
        &env,
        &StoredEntry { position: position.unwrap(), ..dead_letter.clone() },
        1,
        1,
    )
    .await;
    // The next request in the log has been handled, so this one has been handled too.
    request_redrive(&env, &dead_letter, 1, 1).await;
    env.wait_for_outcomes(2).await;
    env.tasks.stop_and_wait().await;
    assert_eq!(env.ended_outcomes().await.len(), 2);
    assert_eq!(env.wechat.messages(&open_id(1)).len(), 1);
}
