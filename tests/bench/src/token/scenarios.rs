//! Scenarios of trouble with tokens, with bounds on the fetches and on the failed calls.

use super::Options;
use super::callers::{CallPlan, CallResults};
use super::deployment::{TokenDeployment, WeChatUsage};
use super::report::ScenarioResult;
use super::strategies::TokenStrategy;
use clap::ValueEnum;
use std::time::Duration;
use tokio::time::sleep;
use wechat_sim::{Effect, Fault, TokenInvalidation};

/// Scenario of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    Cold,
    NewestOnly,
    EveryRefused,
    Foreseen,
    Unforeseen,
    Storm,
    KeeperKilled,
    RedisLost,
}

/// Bounds of the product: number of fetches, and true if calls may fail for want of a valid token.
struct FetchBound {
    fetches: u64,
    may_fail: bool,
}

impl Scenario {
    pub const ALL: [Scenario; 8] = [
        Scenario::Cold,
        Scenario::NewestOnly,
        Scenario::EveryRefused,
        Scenario::Foreseen,
        Scenario::Unforeseen,
        Scenario::Storm,
        Scenario::KeeperKilled,
        Scenario::RedisLost,
    ];

    pub fn description(self) -> &'static str {
        match self {
            Scenario::Cold => "cold start",
            Scenario::NewestOnly => "replaced elsewhere, only the newest valid",
            Scenario::EveryRefused => "every token refused",
            Scenario::Foreseen => "expiry, foreseen",
            Scenario::Unforeseen => "expiry before its time",
            Scenario::Storm => "refusal storm",
            Scenario::KeeperKilled => "token service killed while it refreshes",
            Scenario::RedisLost => "Redis lost with its data",
        }
    }

    /// True if the scenario also applies without a token service.
    pub fn applies_to_all(self) -> bool {
        !matches!(self, Scenario::KeeperKilled | Scenario::RedisLost)
    }

    fn token_lifetime(self, short: bool) -> Option<Duration> {
        match self {
            Scenario::Foreseen if short => Some(Duration::from_secs(6)),
            Scenario::Foreseen => Some(Duration::from_secs(10)),
            Scenario::KeeperKilled => Some(Duration::from_secs(20)),
            _ => None,
        }
    }

    fn storm_count(short: bool) -> u64 {
        if short { 2 } else { 4 }
    }

    fn call_plan(self, short: bool) -> CallPlan {
        let (full, less) = match self {
            Scenario::Cold => return CallPlan::ONCE,
            Scenario::NewestOnly | Scenario::Unforeseen => (4_000, 2_000),
            Scenario::EveryRefused => (20_000, 6_000),
            Scenario::Foreseen => (20_000, 8_000),
            Scenario::Storm => (10_000, 5_000),
            Scenario::KeeperKilled => (18_000, 18_000),
            Scenario::RedisLost => (10_000, 8_000),
        };
        CallPlan { for_ms: if short { less } else { full }, pause_ms: 50, until_good: false }
    }

    fn fetch_bound(self, short: bool) -> FetchBound {
        let fetches = match self {
            Scenario::Cold | Scenario::NewestOnly | Scenario::Unforeseen | Scenario::RedisLost => 1,
            Scenario::EveryRefused | Scenario::KeeperKilled => 2,
            // A token with so short a life is renewed after half of it.
            Scenario::Foreseen if short => 3,
            Scenario::Foreseen => 4,
            Scenario::Storm => Scenario::storm_count(short),
        };
        FetchBound { fetches, may_fail: self == Scenario::EveryRefused }
    }
}

/// Runs a scenario.
pub async fn run_scenario(
    scenario: Scenario,
    way: TokenStrategy,
    options: &Options,
) -> anyhow::Result<ScenarioResult> {
    let short = options.run.short;
    let mut deployment = TokenDeployment::start(way, options.callers).await?;
    if let Some(lifetime) = scenario.token_lifetime(short) {
        deployment.wechat.change_behaviour(|behaviour| behaviour.token_life = lifetime);
    }
    let token_services = if scenario == Scenario::KeeperKilled { 2 } else { 1 };
    let (before, tally);
    if scenario == Scenario::Cold {
        before = deployment.wechat_usage();
        if way == TokenStrategy::Product {
            deployment.add_token_service();
        }
        tally = deployment.run_plan(scenario.call_plan(short)).await?;
    } else {
        if way == TokenStrategy::Product {
            for _ in 0..token_services {
                deployment.add_token_service();
            }
            for token_service in &deployment.token_services {
                token_service.wait_until_ready().await?;
            }
        }
        deployment.run_plan(CallPlan::ONCE).await?;
        before = deployment.wechat_usage();
        tally = run_disturbance(scenario, way, &mut deployment, short).await?;
    }
    let after = deployment.wechat_usage();
    let alarm = match (scenario, way) {
        (Scenario::EveryRefused, TokenStrategy::Product) => {
            Some(deployment.is_alarm_raised("every_token_refused").await?)
        }
        _ => None,
    };
    if scenario == Scenario::EveryRefused {
        deployment.wechat.clear_faults();
        deployment.run_plan(CallPlan::ONCE).await?;
    }
    deployment.wechat.stop().await;
    let bound = (way == TokenStrategy::Product).then(|| scenario.fetch_bound(short));
    let usage = WeChatUsage {
        fetches: after.fetches - before.fetches,
        issued: after.issued - before.issued,
        calls: after.calls - before.calls,
    };
    let is_met = bound.map(|bound| {
        // Before there is a first token, callers may have to wait for it and ask again.
        let unserved = if scenario == Scenario::Cold { 0 } else { tally.without };
        usage.fetches <= bound.fetches
            && (bound.may_fail || tally.failed + unserved == 0)
            && alarm != Some(false)
    });
    Ok(ScenarioResult::new(scenario.description(), way.description(), usage, tally, alarm, is_met))
}

/// Runs the callers while the trouble happens.
async fn run_disturbance(
    scenario: Scenario,
    way: TokenStrategy,
    deployment: &mut TokenDeployment,
    short: bool,
) -> anyhow::Result<CallResults> {
    let plan = scenario.call_plan(short);
    // The deployment is borrowed by both futures below.
    let mut killed = None;
    if scenario == Scenario::KeeperKilled {
        killed = Some(deployment.lease_holder().await?);
    }
    let mut token_services = std::mem::take(&mut deployment.token_services);
    let running = &*deployment;
    let disturbance = async {
        match scenario {
            Scenario::Cold => {}
            Scenario::NewestOnly => {
                running.wechat.change_behaviour(|behaviour| {
                    behaviour.force_kills_former = true;
                    behaviour.classic_kills_former = true;
                });
                running.wechat.kill_tokens(None, TokenInvalidation::Replaced);
            }
            Scenario::EveryRefused => {
                running.wechat.add_fault(Fault::errcode("/cgi-bin/getcallbackip", 40001));
            }
            // The short life of the tokens is the whole scenario.
            Scenario::Foreseen => {}
            Scenario::Unforeseen => {
                sleep(Duration::from_millis(500)).await;
                running.wechat.advance_clock(Duration::from_secs(7200));
            }
            Scenario::Storm => {
                for _ in 0..Scenario::storm_count(short) {
                    sleep(Duration::from_millis(500)).await;
                    running.wechat.kill_tokens(None, TokenInvalidation::Replaced);
                    sleep(Duration::from_millis(1_500)).await;
                }
            }
            Scenario::KeeperKilled => {
                // The delay leaves time to kill the process between its request and the answer.
                let delay = Effect::Delay { ms: 1_000 };
                running.wechat.add_fault(Fault::new("/cgi-bin/stable_token", delay).times(1));
                let fetches_before = running.wechat_usage().fetches;
                let holder = killed.expect("found above");
                while running.wechat_usage().fetches == fetches_before {
                    sleep(Duration::from_millis(5)).await;
                }
                token_services[holder].program.kill();
            }
            Scenario::RedisLost => {
                sleep(Duration::from_secs(1)).await;
                running.redis.kill();
                running.redis.lose_data();
                sleep(Duration::from_secs(3)).await;
                running.redis.restart();
            }
        }
    };
    let disturbs_first = matches!(scenario, Scenario::NewestOnly | Scenario::EveryRefused);
    let tally = if disturbs_first {
        disturbance.await;
        running.run_plan(plan).await
    } else {
        tokio::join!(disturbance, running.run_plan(plan)).1
    };
    deployment.token_services = token_services;
    let _ = way;
    tally
}
