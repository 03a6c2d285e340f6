//! Tests of receipts: before and after the response, repeated, and without a message id.

use crate::support::{
    START_MS, TEMPLATE_SEND_PATH, TestEnv, notice_key, open_id, person_tag, policy_for, wait_until,
};
use paihao_contracts::notice::{Channel, DeliveryOutcome};
use paihao_contracts::outcome::{NoticeStatus, OutcomeRecord};
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use wechat_sim::{Effect, Fault, SimTemplate};

fn receipt(i: u32, message_id: Option<u64>, identity: &str) -> Receipt {
    Receipt {
        v: 1,
        account: "shop".into(),
        person: person_tag(i),
        channel: Channel::Template,
        template: None,
        message_id,
        receipt: ReceiptStatus::Delivered,
        status_text: "success".into(),
        created_s: START_MS / 1000 + 1,
        received_at: START_MS,
        identity: identity.into(),
    }
}

async fn wait_for_message_id(env: &TestEnv, i: u32) -> u64 {
    match env.wait_until_ended(i as usize).await[&notice_key(i)].outcome {
        DeliveryOutcome::Sent { message_id } => message_id,
        ref other => panic!("{other:?}"),
    }
}

async fn wait_for_status(env: &TestEnv, i: u32, status: NoticeStatus) {
    wait_until("the notice has the status", async || env.outcome(i).await.status() == status).await;
}

async fn receipt_count(env: &TestEnv) -> usize {
    let is_receipt = |record: &OutcomeRecord| matches!(record, OutcomeRecord::Receipt(_));
    env.outcome_records().await.iter().filter(|record| is_receipt(record)).count()
}

#[tokio::test]
async fn a_repeated_receipt_after_the_response_is_recorded_once() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.notifier_with_policy(policy_for(&[Channel::Template]), 8);
    env.call_tickets(1..2).await;
    let id = wait_for_message_id(&env, 1).await;
    assert_eq!(env.outcome(1).await.status(), NoticeStatus::Accepted);
    let blocked = Receipt { receipt: ReceiptStatus::Refused, ..receipt(1, Some(id), "r1") };
    env.enqueue_receipt(blocked.clone()).await;
    wait_for_status(&env, 1, NoticeStatus::NotDelivered(ReceiptStatus::Refused)).await;
    env.enqueue_receipt(blocked).await;
    // A later notice has ended, so the repeated receipt has been handled too.
    env.call_tickets(2..3).await;
    env.wait_until_ended(2).await;
    env.tasks.stop_and_wait().await;
    assert_eq!(receipt_count(&env).await, 1);
}

#[tokio::test]
async fn a_receipt_before_the_response_waits_for_it() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    // The response takes a second. The receipt with the id arrives before it.
    env.wechat
        .add_fault(Fault::new(TEMPLATE_SEND_PATH, Effect::Delay { ms: 1_000 }).after().times(1));
    env.notifier_with_policy(policy_for(&[Channel::Template]), 8);
    env.call_tickets(1..2).await;
    wait_until("it is sent", async || !env.wechat.messages(&open_id(1)).is_empty()).await;
    let id = env.wechat.messages(&open_id(1))[0].msgid;
    env.enqueue_receipt(receipt(1, Some(id), "r1")).await;
    assert_eq!(env.outcome(1).await.status(), NoticeStatus::Pending);
    wait_for_status(&env, 1, NoticeStatus::Delivered).await;
    assert_eq!(wait_for_message_id(&env, 1).await, id);
}

#[tokio::test]
async fn a_receipt_without_an_id_matches_the_only_possible_message() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.notifier_with_policy(policy_for(&[Channel::Template]), 8);
    env.call_tickets(1..2).await;
    wait_for_message_id(&env, 1).await;
    env.enqueue_receipt(receipt(1, None, "r1")).await;
    wait_for_status(&env, 1, NoticeStatus::Delivered).await;
}

#[tokio::test]
async fn a_receipt_that_fits_two_messages_matches_neither() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.notifier_with_policy(policy_for(&[Channel::Template]), 8);
    env.call_tickets(1..2).await;
    env.enqueue_notice(2, |notice| notice.person = open_id(1).into()).await;
    env.wait_until_ended(2).await;
    let one = wait_for_message_id(&env, 2).await;
    let two = env.outcome(1).await;
    assert!(one > 0 && two.outcome.is_some());
    env.enqueue_receipt(receipt(1, None, "r0")).await;
    // The second receipt has an id. The first can then only belong to the remaining message.
    env.enqueue_receipt(receipt(1, Some(one), "r2")).await;
    wait_for_status(&env, 2, NoticeStatus::Delivered).await;
    wait_for_status(&env, 1, NoticeStatus::Delivered).await;
}

#[tokio::test]
async fn a_receipt_of_another_program_is_retried_and_then_dropped() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.notifier_with_policy(policy_for(&[Channel::Template]), 8);
    env.call_tickets(1..2).await;
    let id = wait_for_message_id(&env, 1).await;
    let foreign = Receipt { received_at: START_MS - 600_000, ..receipt(1, Some(id + 1), "r1") };
    env.enqueue_receipt(foreign).await;
    env.enqueue_receipt(receipt(1, Some(id), "r2")).await;
    wait_for_status(&env, 1, NoticeStatus::Delivered).await;
    env.tasks.stop_and_wait().await;
    assert_eq!(receipt_count(&env).await, 1);
}

#[tokio::test]
async fn a_receipt_of_a_subscription_notice_matches_by_template() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.wechat.grant_notices(None, &open_id(1), SimTemplate::DEMO_PROGRESS, 1);
    env.notifier_with_policy(policy_for(&[Channel::Subscription]), 8);
    env.call_tickets(1..2).await;
    env.wait_until_ended(1).await;
    let subscription_receipt = |template: &str, identity| Receipt {
        channel: Channel::Subscription,
        template: Some(template.into()),
        ..receipt(1, Some(77), identity)
    };
    env.enqueue_receipt(Receipt {
        receipt: ReceiptStatus::Failed,
        ..subscription_receipt("another", "r0")
    })
    .await;
    env.enqueue_receipt(subscription_receipt(SimTemplate::DEMO_PROGRESS, "r1")).await;
    wait_for_status(&env, 1, NoticeStatus::Delivered).await;
}
