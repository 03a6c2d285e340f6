//! Tests of the account checks: template bindings and API quotas.

use crate::support::{TEMPLATE_LIST_PATH, TEMPLATE_SEND_PATH, TestEnv, notice_key, wait_until};
use paihao_contracts::notice::DeliveryOutcome;
use paihao_wechat::Api;
use wechat_sim::{Fault, SimTemplate};

const QUOTA_PATH: &str = "/cgi-bin/openapi/quota/get";

fn call_count(env: &TestEnv, path: &str) -> u64 {
    env.wechat.stats().calls.get(path).copied().unwrap_or(0)
}

#[tokio::test]
async fn the_template_check_is_retried_until_wechat_answers() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    // Three accounts request the list, and the first four requests fail.
    env.wechat.add_fault(Fault::errcode(TEMPLATE_LIST_PATH, -1).times(4));
    let notifier = env.notifier(SimTemplate::DEMO_CALLED);
    env.call_tickets(1..2).await;
    assert!(
        matches!(env.wait_for_outcomes(1).await[&notice_key(1)], DeliveryOutcome::Sent { .. }),
        "sending goes on"
    );
    wait_until("each account has retried until it succeeded", async || {
        call_count(&env, TEMPLATE_LIST_PATH) == 4 + 3
    })
    .await;
    notifier.check_bindings();
    wait_until("a reload repeats the check", async || {
        call_count(&env, TEMPLATE_LIST_PATH) == 4 + 3 + 3
    })
    .await;
}

#[tokio::test]
async fn a_wrong_binding_shows_in_the_metrics() {
    let recorder = paihao_chassis::metrics::install(&paihao_chassis::Tasks::new()).unwrap();
    let env = TestEnv::new().await;
    env.notifier("a-template-that-was-deleted");
    let faults = "paihao_notifier_binding_faults{account=\"third\"} 1";
    wait_until("the gauge shows it", async || recorder.render().contains(faults)).await;
}

#[tokio::test]
async fn the_daily_count_continues_from_wechats_quota() {
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    let used = || env.call_limiter.usage("shop", Api::SendTemplate).used_today;
    env.notifier(SimTemplate::DEMO_CALLED);
    env.call_tickets(1..3).await;
    env.wait_for_outcomes(2).await;
    env.tasks.stop_and_wait().await;
    assert_eq!((used(), call_count(&env, TEMPLATE_SEND_PATH)), (2, 2));
    // Another process, which has counted none of the calls.
    let mut fresh = TestEnv::new().await;
    fresh.wechat = env.wechat.clone();
    fresh.notifier(SimTemplate::DEMO_CALLED);
    let used = || fresh.call_limiter.usage("shop", Api::SendTemplate).used_today;
    wait_until("WeChat's count is known", async || used() == 2).await;
    assert!(call_count(&env, QUOTA_PATH) >= 2);
}
