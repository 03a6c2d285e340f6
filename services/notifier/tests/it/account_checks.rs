//! The accounts are looked after while messages are sent.

use crate::world::{TEMPLATE_LIST_PATH, TEMPLATE_SEND_PATH, TestEnv, notice_key, wait_until};
use paihao_contracts::notice::DeliveryOutcome;
use paihao_wechat::Api;
use wechat_sim::{Fault, SimTemplate};

const QUOTA_PATH: &str = "/cgi-bin/openapi/quota/get";

fn call_count(world: &TestEnv, path: &str) -> u64 {
    world.wechat.stats().calls.get(path).copied().unwrap_or(0)
}

#[tokio::test]
async fn templates_are_checked_again_and_again_while_wechat_does_not_tell_them() {
    let world = TestEnv::new().await;
    world.add_followers(1..2);
    // Three accounts ask; nobody is told at first.
    world.wechat.add_fault(Fault::errcode(TEMPLATE_LIST_PATH, -1).times(4));
    let notifier = world.notifier(SimTemplate::DEMO_CALLED);
    world.call_tickets(1..2).await;
    assert!(
        matches!(world.wait_for_outcomes(1).await[&notice_key(1)], DeliveryOutcome::Sent { .. }),
        "sending goes on"
    );
    wait_until("each has asked until it was told", async || {
        call_count(&world, TEMPLATE_LIST_PATH) == 4 + 3
    })
    .await;
    notifier.check_bindings();
    wait_until("a reload asks again", async || call_count(&world, TEMPLATE_LIST_PATH) == 4 + 3 + 3)
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_binding_can_be_seen() {
    let recorder = paihao_chassis::metrics::install(&paihao_chassis::Tasks::new()).unwrap();
    let world = TestEnv::new().await;
    world.notifier("a-template-that-was-deleted");
    let faults = "paihao_notifier_binding_faults{account=\"third\"} 1";
    wait_until("the gauge shows it", async || recorder.render().contains(faults)).await;
}

#[tokio::test]
async fn the_days_count_goes_on_from_wechats_own() {
    let world = TestEnv::new().await;
    world.add_followers(1..3);
    let used = || world.call_limiter.usage("shop", Api::SendTemplate).used_today;
    world.notifier(SimTemplate::DEMO_CALLED);
    world.call_tickets(1..3).await;
    world.wait_for_outcomes(2).await;
    world.tasks.stop_and_wait().await;
    assert_eq!((used(), call_count(&world, TEMPLATE_SEND_PATH)), (2, 2));
    // Another process, which has counted none of them.
    let mut fresh = TestEnv::new().await;
    fresh.wechat = world.wechat.clone();
    fresh.notifier(SimTemplate::DEMO_CALLED);
    let used = || fresh.call_limiter.usage("shop", Api::SendTemplate).used_today;
    wait_until("WeChat's count is known", async || used() == 2).await;
    assert!(call_count(&world, QUOTA_PATH) >= 2);
}
