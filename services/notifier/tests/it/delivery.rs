//! Template messages from commit to outcome: once, in time, or not at all.

use crate::support::{TEMPLATE_SEND_PATH, TestEnv, notice_key, open_id};
use futures::StreamExt;
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::streams::{DEAD_LETTERS, OUTCOMES};
use paihao_ledger::{Ledger, LogItem, Position};
use std::time::Duration;
use wechat_sim::{Fault, Refusal, SimTemplate};

#[tokio::test]
async fn two_notifiers_send_each_notice_once_however_often_it_is_planned() {
    let env = TestEnv::new().await;
    env.add_followers(1..101);
    env.notifier(SimTemplate::DEMO_CALLED);
    env.notifier(SimTemplate::DEMO_CALLED);
    for first in (1..101).step_by(10) {
        env.call_tickets(first..first + 10).await;
        // A repeated commit, as after a planner that died before its acknowledgement.
        env.call_tickets(first..first + 10).await;
    }
    let outcomes = env.wait_for_outcomes(100).await;
    assert!(
        outcomes.values().all(|outcome| matches!(outcome, DeliveryOutcome::Sent { .. })),
        "{outcomes:?}"
    );
    for i in 1..101 {
        assert_eq!(env.wechat.messages(&open_id(i)).len(), 1);
    }
    env.tasks.stop_and_wait().await;
    assert_eq!(env.log_len(&OUTCOMES).await, 200, "an announcement and a result for each");
    assert_eq!(env.wechat.stats().messages_accepted, 100);
    assert_eq!(env.wechat.stats().messages_repeated, 0, "WeChat dropped a duplicate");
}

#[tokio::test]
async fn a_stale_notice_is_not_sent_and_that_is_recorded() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.call_tickets(1..2).await;
    env.clock.advance(Duration::from_secs(181));
    env.notifier(SimTemplate::DEMO_CALLED);
    assert_eq!(env.wait_for_outcomes(1).await[&notice_key(1)], DeliveryOutcome::Stale);
    assert_eq!(env.wechat.stats().messages_accepted, 0);
}

#[tokio::test]
async fn a_refusal_is_not_retried() {
    let env = TestEnv::new().await;
    env.wechat.set_person(None, &open_id(1), true, Refusal::AtOnce);
    env.wechat.set_person(None, &open_id(2), false, Refusal::No);
    env.call_tickets(1..3).await;
    env.notifier(SimTemplate::DEMO_CALLED);
    let outcomes = env.wait_for_outcomes(2).await;
    assert!(
        matches!(outcomes[&notice_key(1)], DeliveryOutcome::Refused { code: 43101, .. }),
        "{outcomes:?}"
    );
    assert!(
        matches!(outcomes[&notice_key(2)], DeliveryOutcome::Refused { code: 43004, .. }),
        "{outcomes:?}"
    );
    env.tasks.stop_and_wait().await;
    assert_eq!(env.log_len(&DEAD_LETTERS).await, 0, "a refusal needs no operator");
    assert_eq!(env.wechat.stats().calls[TEMPLATE_SEND_PATH], 2, "retried although refused");
}

#[tokio::test]
async fn a_configuration_mistake_becomes_a_dead_letter_with_its_reason() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.call_tickets(1..2).await;
    env.notifier("a-template-that-was-deleted");
    let outcomes = env.wait_for_outcomes(1).await;
    assert!(
        matches!(outcomes[&notice_key(1)], DeliveryOutcome::Refused { code: 40037, .. }),
        "{outcomes:?}"
    );
    let mut dead_letters = env.ledger.follow(&DEAD_LETTERS, Position::START).await.unwrap();
    let dead_letter =
        tokio::time::timeout(Duration::from_secs(30), dead_letters.next()).await.unwrap();
    let Some(LogItem::Entry(dead_letter)) = dead_letter else { panic!("{dead_letter:?}") };
    let headers = format!("{:?}", dead_letter.entry.headers);
    assert!(headers.contains("40037"), "{headers}");
    assert!(!headers.contains(&open_id(1)), "an openid in a reason: {headers}");
}

#[tokio::test]
async fn a_busy_wechat_is_retried_for_nine_minutes() {
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    env.wechat.add_fault(Fault::errcode(TEMPLATE_SEND_PATH, -1).containing(&open_id(1)).times(1));
    env.wechat.add_fault(Fault::errcode(TEMPLATE_SEND_PATH, -1).containing(&open_id(2)));
    env.call_tickets(1..3).await;
    env.notifier(SimTemplate::DEMO_CALLED);
    assert!(matches!(env.wait_for_outcomes(1).await[&notice_key(1)], DeliveryOutcome::Sent { .. }));
    env.clock.advance(Duration::from_secs(9 * 60));
    let outcomes = env.wait_for_outcomes(2).await;
    assert!(matches!(outcomes[&notice_key(2)], DeliveryOutcome::GaveUp { .. }), "{outcomes:?}");
    assert_eq!(env.wechat.messages(&open_id(2)).len(), 0);
}
