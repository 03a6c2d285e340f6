//! Tests of an update: what former versions left is taken over, and they leave alone what this one
//! has begun.

use crate::support::{
    START_MS, TestEnv, notice_key, notice_key_for_call, open_id, policy_for, wait_until,
};
use bytes::Bytes;
use paihao_contracts::notice::Channel::{self, CustomerService, Subscription, Template};
use paihao_contracts::notice::{ChannelAttempt, DeliveryOutcome, Notice, NoticeOutcome};
use paihao_contracts::outcome::{AttemptAnnounced, OutcomeRecord};
use paihao_contracts::streams::{
    DEAD_LETTERS, NOTICES, OUTCOMES, former_lease_key, planned_order_key,
};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use wechat_sim::SimTemplate;

/// Ticket of the first notice, as in its key.
const TICKET: &str = "hall/20780/1";

async fn put(env: &TestEnv, key: &str, value: &Value) {
    let value = Bytes::from(value.to_string());
    env.cache.put(key, value, Duration::from_secs(600)).await.unwrap();
}

/// Stores the order of the ticket as former versions did, with a turn until this time.
async fn put_order(env: &TestEnv, turn_until: Option<i64>) {
    let turn = turn_until.map(|until| json!({ "order": 1, "until": until }));
    let open = json!([{ "order": 1, "key": notice_key(1), "at": START_MS }]);
    put(env, &planned_order_key(TICKET), &json!({ "newest": 1, "open": open, "turn": turn })).await;
}

/// Stores a lease on the first notice as former versions did.
async fn put_lease(env: &TestEnv, channel: Channel, held_until: i64, unsure: bool) {
    let lease = json!({
        "first": START_MS - 60_000, "attempts": 2, "held_until": held_until, "unsure": unsure,
        "last": "WeChat refused: -1 busy", "channel": channel, "tried": [],
    });
    put(env, &former_lease_key(&notice_key(1)), &lease).await;
}

/// Appends a record of the first notice under its own subject, as former versions did.
async fn append_record(env: &TestEnv, record: OutcomeRecord) {
    let hash = hex::encode(&Sha256::digest(notice_key(1))[..16]);
    let subject = Subject::new(&["shop", &hash]).unwrap();
    let entry = Entry::new(serde_json::to_vec(&record).unwrap());
    env.ledger.append(&OUTCOMES, &subject, ExpectedPosition::Any, entry).await.unwrap();
}

fn announced(channel: Channel, at: i64) -> OutcomeRecord {
    let key = notice_key(1);
    OutcomeRecord::Attempt(AttemptAnnounced { v: 1, key, channel, at, earlier_attempts: vec![] })
}

fn ended(outcome: DeliveryOutcome, detail: Option<&str>) -> OutcomeRecord {
    let refused = ChannelAttempt {
        channel: Template,
        reason: "template_unknown".into(),
        code: Some(40037),
        detail: detail.map(Into::into),
    };
    OutcomeRecord::Ended(NoticeOutcome {
        v: 1,
        key: notice_key(1),
        outcome,
        at: START_MS,
        attempts: 1,
        channel: None,
        earlier_attempts: vec![refused],
    })
}

/// Number of messages that the first person has.
fn messages(env: &TestEnv) -> usize {
    use wechat_sim::ChatContent::{Card, Notice, Service};
    let chat = env.wechat.chat(&open_id(1));
    let is_message = |content: &_| matches!(content, Service { .. } | Card { .. } | Notice { .. });
    chat.iter().filter(|line| is_message(&line.content)).count()
}

async fn env(channel: Channel) -> TestEnv {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.wechat.grant_notices(None, &open_id(1), SimTemplate::DEMO_PROGRESS, 5);
    env.person_writes(1).await;
    env.notifier_with_policy(policy_for(&[channel]), 8);
    env
}

#[tokio::test]
async fn an_attempt_of_a_former_version_is_taken_over_as_it_stands() {
    for channel in [Template, Subscription, CustomerService] {
        for is_announced in [false, true] {
            for (is_unsure, is_cache_lost) in [(false, false), (true, false), (true, true)] {
                let case = format!("{channel:?} {is_announced} {is_unsure} {is_cache_lost}");
                // A channel that could double a message was always announced.
                if !is_announced && (channel != Template || is_cache_lost) {
                    continue;
                }
                let env = env(channel).await;
                if is_announced {
                    append_record(&env, announced(channel, START_MS - 60_000)).await;
                }
                if !is_cache_lost {
                    put_order(&env, None).await;
                    put_lease(&env, channel, 0, is_unsure).await;
                }
                env.enqueue_notice(1, |_| {}).await;
                let end = env.wait_until_ended(1).await.remove(&notice_key(1)).unwrap();
                if is_unsure && channel != Template {
                    assert!(matches!(end.outcome, DeliveryOutcome::Unknown { .. }), "{case}");
                    assert_eq!((messages(&env), end.channel), (0, Some(channel)), "{case}");
                } else {
                    assert!(matches!(end.outcome, DeliveryOutcome::Sent { .. }), "{case}: {end:?}");
                    let attempts = if is_cache_lost { 2 } else { 3 };
                    assert_eq!((messages(&env), end.attempts), (1, attempts), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_retries_of_a_former_version_count() {
    let env = env(Template).await;
    put_order(&env, None).await;
    put_lease(&env, Template, 0, false).await;
    env.clock.advance(Duration::from_secs(8 * 60));
    env.enqueue_notice(1, |_| {}).await;
    let end = env.wait_until_ended(1).await.remove(&notice_key(1)).unwrap();
    assert!(matches!(end.outcome, DeliveryOutcome::GaveUp { .. }), "{end:?}");
}

#[tokio::test]
async fn nothing_is_sent_during_an_attempt_of_a_former_version() {
    for is_turn in [false, true] {
        let env = env(Template).await;
        let until = START_MS + 1_000;
        if is_turn {
            // A later notice, for which the earlier one's turn counts.
            put_order(&env, Some(until)).await;
            env.append_commit("shop", vec![env.call_event(1, 2)]).await;
        } else {
            put_order(&env, None).await;
            put_lease(&env, Template, until, true).await;
            env.enqueue_notice(1, |_| {}).await;
        }
        let key = planned_order_key(TICKET);
        let is_taken_over = async || {
            let stored = env.cache.get(&key).await.unwrap().unwrap();
            serde_json::from_slice::<Value>(&stored).unwrap()["v"] == 2
        };
        wait_until("the ticket is taken over", is_taken_over).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(messages(&env), 0, "turn: {is_turn}");
        env.clock.advance(Duration::from_secs(1));
        let outcomes = env.wait_for_outcomes(1).await;
        let key = notice_key_for_call(1, if is_turn { 2 } else { 1 });
        assert!(matches!(outcomes[&key], DeliveryOutcome::Sent { .. }), "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_a_former_version_ended_is_not_sent_and_its_dead_letter_is_not_lost() {
    let refused = DeliveryOutcome::Refused { code: 40037, name: "template_unknown".into() };
    let gave_up = DeliveryOutcome::GaveUp { last_error: "busy".into() };
    for (outcome, detail, letters) in [
        (refused.clone(), Some("40037 template_unknown: gone"), 1),
        (refused, None, 0),
        (gave_up, Some("40037 template_unknown: gone"), 0),
        (DeliveryOutcome::Sent { message_id: 7 }, None, 0),
        (DeliveryOutcome::Superseded, None, 0),
    ] {
        let env = env(Template).await;
        append_record(&env, ended(outcome.clone(), detail)).await;
        put_order(&env, None).await;
        env.enqueue_notice(1, |_| {}).await;
        env.enqueue_notice(2, |notice| notice.person = open_id(1).into()).await;
        env.wait_until_ended(2).await;
        env.tasks.stop_and_wait().await;
        assert_eq!(env.ended_outcomes().await.len(), 2, "{outcome:?}: its own and the second's");
        assert_eq!(messages(&env), 1, "{outcome:?}: the second");
        assert_eq!(env.log_len(&DEAD_LETTERS).await, letters, "{outcome:?} {detail:?}");
    }
}

#[tokio::test]
async fn a_ticket_of_a_newer_program_is_left_alone() {
    let env = env(Template).await;
    env.enqueue_notice(1, |_| {}).await;
    env.wait_until_ended(1).await;
    // The newer program goes on with the ticket.
    let subject = Subject::new(&["shop", &hash_of_ticket()]).unwrap();
    let last = env.ledger.last(&OUTCOMES, &subject).await.unwrap().expect("the ticket's subject");
    let newer = Entry::new(r#"{"v":99,"wonders":["gilded"]}"#);
    let expect = ExpectedPosition::At(last.position);
    env.ledger.append(&OUTCOMES, &subject, expect, newer).await.unwrap();
    let second = |notice: &mut Notice| {
        notice.key = notice_key_for_call(1, 2);
        notice.order = 2;
    };
    env.enqueue_notice(1, second).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(messages(&env), 1, "the first only");
    env.tasks.stop_and_wait().await;
    let mut deliveries = env.ledger.consume_queue(&NOTICES, 1).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), deliveries.next());
    assert!(next.await.unwrap().is_some(), "it was acknowledged");
}

fn hash_of_ticket() -> String {
    hex::encode(&Sha256::digest(format!("ticket/{TICKET}"))[..16])
}
