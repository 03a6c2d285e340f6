//! Tests of the order of a ticket: notices arrive in order, and superseded ones are not sent.

use crate::support::{
    TEMPLATE_SEND_PATH, TestEnv, deliver, delivery, notice_key_for_call, open_id, policy_for,
    wait_until,
};
use paihao_cache::MemoryCache;
use paihao_contracts::notice::Channel::{CustomerService, Template};
use paihao_contracts::notice::{DeliveryOutcome, Notice};
use paihao_contracts::send_window::SendWindowKind;
use paihao_ledger::{Disposition, Handler};
use paihao_notifier::Handlers;
use paihao_notifier::planning::plan::plan;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::{Effect, Fault, SimTemplate};

/// Returns the ordinals of a person's calls in the order in which WeChat accepted them.
fn delivered_calls(env: &TestEnv, i: u32) -> Vec<u32> {
    let messages = env.wechat.messages(&open_id(i));
    messages.iter().map(|message| message.data["thing3"][..1].parse().unwrap()).collect()
}

async fn wait_for_calls(env: &TestEnv, count: u64) {
    let requested =
        || env.wechat.stats().calls.get(TEMPLATE_SEND_PATH).is_some_and(|calls| *calls >= count);
    wait_until("WeChat gets the request", async || requested()).await;
}

/// Restricts a fault to requests for the n-th call.
fn matching_call(fault: Fault, call: u32) -> Fault {
    fault.containing(&format!("{call}号窗口"))
}

#[tokio::test]
async fn of_several_notices_at_once_only_the_last_is_sent() {
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    env.append_commit("shop", (1..4).map(|call| env.call_event(1, call)).collect()).await;
    env.append_commit("shop", vec![env.call_event(2, 1)]).await;
    env.notifier(SimTemplate::DEMO_CALLED);
    let ended = env.wait_until_ended(4).await;
    for call in [1, 2] {
        let ended = &ended[&notice_key_for_call(1, call)];
        assert_eq!(
            (&ended.outcome, ended.attempts, ended.channel),
            (&DeliveryOutcome::Superseded, 0, None)
        );
    }
    assert!(
        matches!(ended[&notice_key_for_call(1, 3)].outcome, DeliveryOutcome::Sent { .. }),
        "{ended:?}"
    );
    assert!(
        matches!(ended[&notice_key_for_call(2, 1)].outcome, DeliveryOutcome::Sent { .. }),
        "of another ticket: {ended:?}"
    );
    assert_eq!((delivered_calls(&env, 1), delivered_calls(&env, 2)), (vec![3], vec![1]));
    env.tasks.stop_and_wait().await;
    assert_eq!(env.ended_outcomes().await.len(), 4);
}

#[tokio::test]
async fn a_deferred_notice_is_not_sent_after_a_later_one() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.wechat.add_fault(matching_call(Fault::errcode(TEMPLATE_SEND_PATH, -1), 1));
    env.notifier(SimTemplate::DEMO_CALLED);
    env.call_tickets(1..2).await;
    wait_for_calls(&env, 1).await;
    env.append_commit("shop", vec![env.call_event(1, 2)]).await;
    let ended = env.wait_until_ended(2).await;
    assert_eq!(ended[&notice_key_for_call(1, 1)].outcome, DeliveryOutcome::Superseded);
    assert!(ended[&notice_key_for_call(1, 1)].attempts >= 1, "{ended:?}");
    assert_eq!(delivered_calls(&env, 1), [2]);
    let in_order: Vec<_> = env.ended_outcomes().await.into_iter().map(|ended| ended.key).collect();
    assert_eq!(
        in_order,
        [notice_key_for_call(1, 1), notice_key_for_call(1, 2)],
        "it ended before the later one was sent"
    );
}

#[tokio::test]
async fn a_later_notice_waits_for_the_response_to_an_earlier_one() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.wechat
        .add_fault(matching_call(Fault::new(TEMPLATE_SEND_PATH, Effect::Delay { ms: 2_000 }), 1));
    env.notifier(SimTemplate::DEMO_CALLED);
    env.notifier(SimTemplate::DEMO_CALLED);
    env.call_tickets(1..2).await;
    wait_for_calls(&env, 1).await;
    env.append_commit("shop", vec![env.call_event(1, 2)]).await;
    let outcomes = env.wait_for_outcomes(2).await;
    assert!(
        outcomes.values().all(|outcome| matches!(outcome, DeliveryOutcome::Sent { .. })),
        "{outcomes:?}"
    );
    assert_eq!(delivered_calls(&env, 1), [1, 2]);
}

#[tokio::test]
async fn a_notice_that_may_have_arrived_is_unknown_and_not_superseded() {
    for channel in [Template, CustomerService] {
        let env = TestEnv::new().await;
        env.add_followers(1..2);
        env.person_writes(1).await;
        // WeChat accepts the message and never responds.
        let path =
            if channel == Template { TEMPLATE_SEND_PATH } else { crate::support::CUSTOM_SEND_PATH };
        env.wechat.add_fault(matching_call(Fault::new(path, Effect::Drop).after(), 1));
        env.notifier_with_policy(policy_for(&[channel]), 8);
        env.call_tickets(1..2).await;
        let requested = || env.wechat.stats().calls.get(path).is_some_and(|calls| *calls >= 1);
        wait_until("WeChat gets the request", async || requested()).await;
        env.append_commit("shop", vec![env.call_event(1, 2)]).await;
        let outcomes = env.wait_for_outcomes(2).await;
        assert!(
            matches!(outcomes[&notice_key_for_call(1, 1)], DeliveryOutcome::Unknown { .. }),
            "{outcomes:?}"
        );
        assert!(
            matches!(outcomes[&notice_key_for_call(1, 2)], DeliveryOutcome::Sent { .. }),
            "{outcomes:?}"
        );
    }
}

#[tokio::test]
async fn the_order_survives_a_loss_of_the_cache() {
    let mut env = TestEnv::new().await;
    env.add_followers(1..3);
    env.wechat.add_fault(matching_call(Fault::errcode(TEMPLATE_SEND_PATH, -1), 1));
    env.notifier(SimTemplate::DEMO_CALLED);
    env.call_tickets(1..3).await;
    wait_for_calls(&env, 2).await;
    env.append_commit("shop", vec![env.call_event(1, 2)]).await;
    wait_until("the later one is sent", async || delivered_calls(&env, 1) == [2]).await;
    env.restart_without_cache().await;
    env.wechat.clear_faults();
    env.notifier(SimTemplate::DEMO_CALLED);
    // The notice that is still current is sent. The superseded one is not.
    let outcomes = env.wait_for_outcomes(3).await;
    assert!(
        matches!(outcomes[&notice_key_for_call(2, 1)], DeliveryOutcome::Sent { .. }),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[&notice_key_for_call(1, 1)], DeliveryOutcome::Superseded);
    assert_eq!((delivered_calls(&env, 1), delivered_calls(&env, 2)), (vec![2], vec![1]));
    // A new commit is in order with the remaining notices.
    env.append_commit("shop", vec![env.call_event(2, 2)]).await;
    env.wait_until_ended(4).await;
    assert_eq!(delivered_calls(&env, 2), [1, 2]);
}

#[tokio::test]
async fn an_attempt_on_its_way_is_not_overtaken_when_the_cache_is_lost() {
    for channel in [Template, CustomerService] {
        let mut env = TestEnv::new().await;
        env.add_followers(1..2);
        env.person_writes(1).await;
        let path =
            if channel == Template { TEMPLATE_SEND_PATH } else { crate::support::CUSTOM_SEND_PATH };
        env.wechat.add_fault(matching_call(Fault::new(path, Effect::Delay { ms: 1_000 }), 1));
        let handlers = env.handlers(policy_for(&[channel]), 8);
        let first = planned(&env, &handlers, 1).await;
        let worker = handlers.delivery(env.ports(env.ledger.clone()));
        let mut sending = Box::pin(deliver(&worker, &first));
        let requested = async || env.wechat.stats().calls.get(path).is_some_and(|calls| *calls > 0);
        tokio::select! {
            disposition = &mut sending => panic!("{disposition:?} before the answer"),
            () = wait_until("WeChat has the first request", requested) => {}
        }
        env.cache = Arc::new(MemoryCache::default());
        env.open_window(1, SendWindowKind::Message).await;
        let second = planned(&env, &handlers, 2).await;
        let other = handlers.delivery(env.ports(env.ledger.clone()));
        let waits = deliver(&other, &second).await;
        assert!(matches!(waits, Disposition::RetryAfter(_)), "{channel:?}: {waits:?}");
        assert_eq!(env.wechat.stats().calls[path], 1, "{channel:?}: nothing is sent meanwhile");
        assert_eq!(sending.await, Disposition::Ack);
        assert_eq!(deliver(&other, &second).await, Disposition::Ack);
        assert_eq!(env.wechat.stats().calls[path], 2);
        let ends = env.ended_outcomes().await;
        let in_order: Vec<_> = ends.iter().map(|ended| &*ended.key).collect();
        assert_eq!(in_order, [1, 2].map(|call| notice_key_for_call(1, call)));
        assert!(ends.iter().all(|e| matches!(e.outcome, DeliveryOutcome::Sent { .. })), "{ends:?}");
    }
}

/// Plans the notice of the n-th call of the first ticket.
async fn planned(env: &TestEnv, handlers: &Handlers, call: u32) -> Notice {
    let commit = env.commit("shop", vec![env.call_event(1, call)]);
    let planner = handlers.planner(&env.ports(env.ledger.clone()));
    let message = delivery("shop", serde_json::to_vec(&commit).unwrap());
    assert_eq!(planner.handle(commit.clone(), &message).await.unwrap(), Disposition::Ack);
    plan(&commit).remove(0)
}

#[tokio::test]
async fn under_load_with_faults_everybody_is_notified_in_order() {
    const PEOPLE: u32 = 40;
    const CALLS: u32 = 4;
    let env = TestEnv::new().await;
    env.add_followers(1..PEOPLE + 1);
    // Some responses are slow, some are lost after acceptance, some defer the message.
    for i in 1..PEOPLE + 1 {
        let fault = match i % 4 {
            0 => Fault::new(TEMPLATE_SEND_PATH, Effect::Delay { ms: 300 }),
            1 => Fault::new(TEMPLATE_SEND_PATH, Effect::Drop).after().times(1),
            2 => Fault::errcode(TEMPLATE_SEND_PATH, -1).times(u64::from(i) % 3),
            _ => continue,
        };
        env.wechat.add_fault(fault.containing(&format!("\"{}\"", open_id(i))));
    }
    env.notifier(SimTemplate::DEMO_CALLED);
    env.notifier(SimTemplate::DEMO_CALLED);
    // Overlapping waves: the calls of each person in order, interleaved with those of others.
    let mut remaining: Vec<_> = (1..PEOPLE + 1).map(|i| (i, 1)).collect();
    let mut at = 7;
    while !remaining.is_empty() {
        let mut events = Vec::new();
        for _ in 0..5.min(remaining.len()) {
            at = (at * 31 + 17) % remaining.len();
            let (i, call) = remaining[at];
            events.push(env.call_event(i, call));
            match call {
                CALLS => drop(remaining.swap_remove(at)),
                _ => remaining[at].1 += 1,
            }
            if remaining.is_empty() {
                break;
            }
        }
        env.append_commit("shop", events).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    env.wait_until_ended((PEOPLE * CALLS) as usize).await;
    env.tasks.stop_and_wait().await;
    let ends = env.ended_outcomes().await;
    assert_eq!(ends.len(), (PEOPLE * CALLS) as usize);
    let keys: BTreeSet<_> = ends.iter().map(|ended| ended.key.clone()).collect();
    assert_eq!(keys.len(), ends.len(), "a key ended twice");
    let mut superseded = 0;
    for i in 1..PEOPLE + 1 {
        let delivered = delivered_calls(&env, i);
        assert!(delivered.is_sorted_by(|a, b| a < b), "{i} got {delivered:?}");
        let mut last = 0;
        for ended in ends.iter().filter(|ended| ended.key.starts_with(&format!("hall/20780/{i}/")))
        {
            let call: u32 = ended.key.rsplit_once('#').unwrap().1.parse().unwrap();
            match &ended.outcome {
                DeliveryOutcome::Sent { .. } => {
                    assert!(delivered.contains(&call), "{ended:?} without a message");
                    assert!(call > last, "{ended:?} after call {last}");
                    last = call;
                }
                DeliveryOutcome::Superseded => {
                    superseded += 1;
                    assert!(!delivered.contains(&call), "{ended:?} all the same: {delivered:?}");
                }
                DeliveryOutcome::Unknown { .. } => {}
                outcome => panic!("{} ended as {outcome:?}", ended.key),
            }
        }
        assert_eq!(delivered.last(), Some(&CALLS), "the last call of {i} is always delivered");
    }
    assert!(superseded > 0, "no notice was superseded: the load was too low");
}
