//! Tests of channels: they are tried in order until one accepts, and no notice is sent twice.

use crate::support::{
    CUSTOM_SEND_PATH, SUBSCRIPTION_SEND_PATH, TEMPLATE_SEND_PATH, TestEnv, notice_key, open_id,
    policy_for, window_key,
};
use paihao_contracts::notice::Channel::{CustomerService, PassiveReply, Subscription, Template};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use paihao_contracts::outcome::{AttemptAnnounced, OutcomeRecord};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams::{DEAD_LETTERS, OUTCOMES};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use sha2::{Digest, Sha256};
use wechat_sim::{ChatContent, Effect, Fault, Refusal, SimTemplate};

/// Returns channel, reason and code of each failed attempt.
fn attempt_reasons(outcome: &NoticeOutcome) -> Vec<(Channel, &str, Option<i64>)> {
    let attempts = outcome.earlier_attempts.iter();
    attempts
        .map(|ChannelAttempt { channel, reason, code, .. }| (*channel, reason.as_str(), *code))
        .collect()
}

/// Counts the messages of a person: texts, template messages, subscription notices.
fn message_counts(env: &TestEnv, i: u32) -> (usize, usize, usize) {
    let chat = env.wechat.chat(&open_id(i));
    let count = |predicate: fn(&ChatContent) -> bool| {
        chat.iter().filter(|line| predicate(&line.content)).count()
    };
    (
        count(|content| matches!(content, ChatContent::Service { .. })),
        count(|content| matches!(content, ChatContent::Card { .. })),
        count(|content| matches!(content, ChatContent::Notice { .. })),
    )
}

/// Waits for the outcome of the first notice.
async fn first_outcome(env: &TestEnv) -> NoticeOutcome {
    env.wait_until_ended(1).await.remove(&notice_key(1)).unwrap()
}

#[tokio::test]
async fn a_text_is_sent_within_a_send_window_and_a_template_message_otherwise() {
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    env.person_writes(1).await;
    env.notifier_with_policy(policy_for(&[CustomerService, Template]), 8);
    env.call_tickets(1..3).await;
    let ended = env.wait_until_ended(2).await;
    let one = &ended[&notice_key(1)];
    let two = &ended[&notice_key(2)];
    assert_eq!(
        (&one.outcome, one.channel),
        (&DeliveryOutcome::Sent { message_id: 0 }, Some(CustomerService))
    );
    assert!(matches!(two.outcome, DeliveryOutcome::Sent { message_id: 1.. }), "{two:?}");
    assert_eq!(two.channel, Some(Template));
    assert_eq!(attempt_reasons(two), [(CustomerService, "no_allowance", None)]);
    assert_eq!((message_counts(&env, 1), message_counts(&env, 2)), ((1, 0, 0), (0, 1, 0)));
    let is_call = |content: &ChatContent| match content {
        ChatContent::Service { text } => text == "请 A001 到 1号窗口",
        _ => false,
    };
    assert!(env.wechat.chat(&open_id(1)).iter().any(|line| is_call(&line.content)));
    env.tasks.stop_and_wait().await;
    let window = env.cache.get(&window_key(1, SendWindowKind::Message)).await.unwrap().unwrap();
    assert_eq!(
        serde_json::from_slice::<SendWindow>(&window).unwrap().remaining,
        4,
        "one is used up"
    );
}

#[tokio::test]
async fn a_wrong_send_window_costs_one_call_and_is_removed() {
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    // The cache has open windows, but for WeChat one has expired and one is used up.
    env.open_window(1, SendWindowKind::Tap).await;
    env.wechat.add_fault(Fault::errcode(CUSTOM_SEND_PATH, 45047).containing(&open_id(2)));
    env.person_writes(2).await;
    env.notifier_with_policy(policy_for(&[CustomerService, Template]), 8);
    env.call_tickets(1..3).await;
    let ended = env.wait_until_ended(2).await;
    let one = &ended[&notice_key(1)];
    let two = &ended[&notice_key(2)];
    assert_eq!(attempt_reasons(one), [(CustomerService, "no_open_window", Some(45015))]);
    assert_eq!(attempt_reasons(two), [(CustomerService, "window_used_up", Some(45047))]);
    assert_eq!((one.channel, two.channel), (Some(Template), Some(Template)));
    assert_eq!((message_counts(&env, 1), message_counts(&env, 2)), ((0, 1, 0), (0, 1, 0)));
    env.tasks.stop_and_wait().await;
    assert_eq!(env.cache.get(&window_key(1, SendWindowKind::Tap)).await.unwrap(), None);
    assert_eq!(env.wechat.stats().calls[CUSTOM_SEND_PATH], 2);
    assert_eq!(env.log_len(&DEAD_LETTERS).await, 0, "a wrong window needs no operator");
}

#[tokio::test]
async fn a_text_without_a_response_is_unknown_and_no_other_channel_is_tried() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.person_writes(1).await;
    env.wechat.add_fault(Fault::new(CUSTOM_SEND_PATH, Effect::Drop).after());
    env.notifier_with_policy(policy_for(&[CustomerService, Template]), 8);
    env.call_tickets(1..2).await;
    let one = first_outcome(&env).await;
    assert!(matches!(one.outcome, DeliveryOutcome::Unknown { .. }), "{one:?}");
    assert_eq!((one.channel, one.attempts), (Some(CustomerService), 1));
    env.tasks.stop_and_wait().await;
    assert_eq!(message_counts(&env, 1), (1, 0, 0), "it had arrived");
    assert_eq!(env.wechat.stats().calls.get(TEMPLATE_SEND_PATH), None);
}

/// Announces an attempt, like a process that died with its cache right afterwards.
async fn announce_attempt(env: &TestEnv, channel: Channel, seconds_ago: i64) {
    let at = crate::support::START_MS - seconds_ago * 1000;
    let attempt =
        AttemptAnnounced { v: 1, key: notice_key(1), channel, at, earlier_attempts: vec![] };
    let entry = Entry::new(serde_json::to_vec(&OutcomeRecord::Attempt(attempt)).unwrap());
    let subject =
        Subject::new(&["shop", &hex::encode(&Sha256::digest(notice_key(1))[..16])]).unwrap();
    env.ledger.append(&OUTCOMES, &subject, ExpectedPosition::Empty, entry).await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_the_cache_has_lost_is_not_made_through_another_channel() {
    for channel in [CustomerService, Subscription] {
        let env = TestEnv::new().await;
        env.add_followers(1..2);
        env.person_writes(1).await;
        announce_attempt(&env, channel, 21).await;
        env.notifier_with_policy(policy_for(&[channel, Template]), 8);
        env.call_tickets(1..2).await;
        let one = first_outcome(&env).await;
        assert!(matches!(one.outcome, DeliveryOutcome::Unknown { .. }), "{one:?}");
        assert_eq!((one.channel, message_counts(&env, 1)), (Some(channel), (0, 0, 0)));
    }
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.person_writes(1).await;
    announce_attempt(&env, Template, 21).await;
    env.notifier_with_policy(policy_for(&[CustomerService, Template]), 8);
    env.call_tickets(1..2).await;
    let one = first_outcome(&env).await;
    assert!(matches!(one.outcome, DeliveryOutcome::Sent { .. }), "{one:?}");
    assert_eq!(message_counts(&env, 1), (0, 1, 0), "WeChat would have dropped a second one");
    // After nine minutes the template message is not retried either.
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    announce_attempt(&env, Template, 9 * 60).await;
    env.notifier_with_policy(policy_for(&[Template, CustomerService]), 8);
    env.call_tickets(1..2).await;
    assert!(matches!(first_outcome(&env).await.outcome, DeliveryOutcome::Unknown { .. }));
    assert_eq!(message_counts(&env, 1), (0, 0, 0));
}

#[tokio::test]
async fn a_template_message_without_a_response_is_retried_through_its_channel_only() {
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    env.person_writes(1).await;
    env.person_writes(2).await;
    env.wechat.add_fault(
        Fault::new(TEMPLATE_SEND_PATH, Effect::Drop).after().containing(&open_id(1)).times(1),
    );
    env.wechat.add_fault(
        Fault::new(TEMPLATE_SEND_PATH, Effect::Drop).after().containing(&open_id(2)).times(1),
    );
    // Before the retry the second person unfollows: the first attempt was accepted.
    env.wechat.add_fault(Fault::errcode(TEMPLATE_SEND_PATH, 43004).containing(&open_id(2)));
    env.notifier_with_policy(policy_for(&[Template, CustomerService]), 8);
    env.call_tickets(1..3).await;
    let ended = env.wait_until_ended(2).await;
    let one = &ended[&notice_key(1)];
    let two = &ended[&notice_key(2)];
    assert!(matches!(one.outcome, DeliveryOutcome::Sent { message_id: 1.. }), "{one:?}");
    assert!(matches!(two.outcome, DeliveryOutcome::Unknown { .. }), "{two:?}");
    assert_eq!((message_counts(&env, 1), message_counts(&env, 2)), ((0, 1, 0), (0, 1, 0)));
    assert_eq!(env.wechat.stats().messages_repeated, 1);
}

#[tokio::test]
async fn each_channel_records_its_reason_and_the_last_one_accepts() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.wechat.add_fault(Fault::errcode(TEMPLATE_SEND_PATH, 43101));
    env.wechat.grant_notices(None, &open_id(1), SimTemplate::DEMO_PROGRESS, 1);
    env.notifier_with_policy(
        policy_for(&[PassiveReply, CustomerService, Template, Subscription]),
        8,
    );
    env.call_tickets(1..2).await;
    let one = first_outcome(&env).await;
    assert_eq!(
        (&one.outcome, one.channel),
        (&DeliveryOutcome::Sent { message_id: 0 }, Some(Subscription))
    );
    let expected = [
        (PassiveReply, "not_replied", None),
        (CustomerService, "no_allowance", None),
        (Template, "messages_refused", Some(43101)),
    ];
    assert_eq!(attempt_reasons(&one), expected);
    assert_eq!(message_counts(&env, 1), (0, 0, 1));
}

#[tokio::test]
async fn when_no_channel_accepts_the_first_refusal_is_the_outcome() {
    let env = TestEnv::new().await;
    env.wechat.set_person(None, &open_id(1), false, Refusal::No);
    env.notifier_with_policy(policy_for(&[CustomerService, Template, Subscription]), 8);
    env.call_tickets(1..2).await;
    let one = first_outcome(&env).await;
    assert_eq!(one.outcome, DeliveryOutcome::Refused { code: 43004, name: "not_following".into() });
    assert_eq!(one.channel, None);
    let expected = [
        (CustomerService, "no_allowance", None),
        (Template, "not_following", Some(43004)),
        (Subscription, "messages_refused", Some(43101)),
    ];
    assert_eq!(attempt_reasons(&one), expected);
    env.tasks.stop_and_wait().await;
    assert_eq!(env.log_len(&DEAD_LETTERS).await, 0);
    let calls = env.wechat.stats().calls;
    assert_eq!((calls[TEMPLATE_SEND_PATH], calls[SUBSCRIPTION_SEND_PATH]), (1, 1));
}

#[tokio::test]
async fn a_missing_template_leads_to_the_next_channel() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.person_writes(1).await;
    let mut policy = policy_for(&[Template, CustomerService]);
    policy.template = Some(crate::support::binding("deleted"));
    env.notifier_with_policy(policy, 8);
    env.call_tickets(1..2).await;
    let one = first_outcome(&env).await;
    assert_eq!(
        (&one.outcome, one.channel),
        (&DeliveryOutcome::Sent { message_id: 0 }, Some(CustomerService))
    );
    assert_eq!(attempt_reasons(&one), [(Template, "template_unknown", Some(40037))]);
    assert!(
        one.earlier_attempts[0].detail.as_ref().unwrap().contains("40037"),
        "an operator has to see it"
    );
    assert_eq!(message_counts(&env, 1), (1, 0, 0));
}

#[tokio::test]
async fn a_used_up_template_quota_leads_to_the_next_channel() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.person_writes(1).await;
    env.wechat.add_fault(Fault::errcode(TEMPLATE_SEND_PATH, 45009));
    env.notifier_with_policy(policy_for(&[Template, CustomerService]), 8);
    env.call_tickets(1..2).await;
    let one = first_outcome(&env).await;
    assert_eq!(one.channel, Some(CustomerService));
    assert_eq!(attempt_reasons(&one), [(Template, "gave_up", None)]);
}

#[tokio::test]
async fn a_notice_in_the_passive_reply_is_not_sent() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.notifier_with_policy(policy_for(&[PassiveReply, Template]), 8);
    env.enqueue_notice(1, |notice| notice.replied = true).await;
    let one = first_outcome(&env).await;
    assert_eq!(
        (&one.outcome, one.channel, one.attempts),
        (&DeliveryOutcome::Replied, Some(PassiveReply), 0)
    );
    env.tasks.stop_and_wait().await;
    assert_eq!(message_counts(&env, 1), (0, 0, 0));
    assert_eq!(env.log_len(&OUTCOMES).await, 1);
}
