//! Test of isolation: a slow account delays no other account.

use crate::support::{TEMPLATE_SEND_PATH, TestEnv, open_id, policy_for};
use paihao_contracts::notice::{Channel, DeliveryOutcome};
use wechat_sim::{Effect, Fault, Refusal, SimAccount};

#[tokio::test]
async fn an_account_with_slow_responses_takes_no_permits_of_others() {
    let env = TestEnv::new().await;
    let second = env.wechat.people().len();
    assert_eq!(second, 0);
    for i in 1..31 {
        for appid in [SimAccount::default().appid, "wx0000000000000001".into()] {
            env.wechat.set_person(Some(&appid), &open_id(i), true, Refusal::No);
        }
    }
    // People 1 to 20 belong to the slow account, whose responses take four seconds.
    for i in 1..21 {
        let slow = Fault::new(TEMPLATE_SEND_PATH, Effect::Delay { ms: 4_000 });
        env.wechat.add_fault(slow.containing(&format!("\"{}\"", open_id(i))));
    }
    env.call_tickets_at("shop", 1..21).await;
    env.notifier_with_policy(policy_for(&[Channel::Template, Channel::CustomerService]), 2);
    let slow_ones_wait =
        || env.wechat.stats().calls.get(TEMPLATE_SEND_PATH).is_some_and(|calls| *calls >= 2);
    crate::support::wait_until("the slow account's permits are in use", async || slow_ones_wait())
        .await;
    env.call_tickets_at("second", 21..31).await;
    let ended = env.wait_until_ended(10).await;
    for (key, outcome) in ended {
        let ticket: u32 = key.split('/').nth(2).unwrap().parse().unwrap();
        assert!(ticket > 20, "{key} was faster than those without a delay");
        assert!(matches!(outcome.outcome, DeliveryOutcome::Sent { .. }), "{outcome:?}");
    }
    env.tasks.abort();
}
