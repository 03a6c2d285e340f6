//! Scenarios of trouble with tokens, with bounds on the fetches and on the failed calls.

use super::Options;
use super::callers::{CallPlan, CallResults};
use super::report::ScenarioResult;
use super::stage::{TokenDeployment, WeChatUsage};
use super::ways::TokenStrategy;
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
    scene: Scenario,
    way: TokenStrategy,
    options: &Options,
) -> anyhow::Result<ScenarioResult> {
    let short = options.short;
    let mut stage = TokenDeployment::start(way, options.callers).await?;
    if let Some(life) = scene.token_lifetime(short) {
        stage.wechat.change_behaviour(|behaviour| behaviour.token_life = life);
    }
    let keepers = if scene == Scenario::KeeperKilled { 2 } else { 1 };
    let (before, tally);
    if scene == Scenario::Cold {
        before = stage.wechat_usage();
        if way == TokenStrategy::Product {
            stage.add_token_service();
        }
        tally = stage.run_plan(scene.call_plan(short)).await?;
    } else {
        if way == TokenStrategy::Product {
            for _ in 0..keepers {
                stage.add_token_service();
            }
            for keeper in &stage.token_services {
                keeper.wait_until_ready().await?;
            }
        }
        stage.run_plan(CallPlan::ONCE).await?;
        before = stage.wechat_usage();
        tally = run_disturbance(scene, way, &mut stage, short).await?;
    }
    let after = stage.wechat_usage();
    let alarm = match (scene, way) {
        (Scenario::EveryRefused, TokenStrategy::Product) => {
            Some(stage.is_alarm_raised("every_token_refused").await?)
        }
        _ => None,
    };
    if scene == Scenario::EveryRefused {
        stage.wechat.clear_faults();
        stage.run_plan(CallPlan::ONCE).await?;
    }
    stage.wechat.stop().await;
    let bound = (way == TokenStrategy::Product).then(|| scene.fetch_bound(short));
    let asked = WeChatUsage {
        fetches: after.fetches - before.fetches,
        issued: after.issued - before.issued,
        calls: after.calls - before.calls,
    };
    let held = bound.map(|bound| {
        // Before there is a first token, callers may have to wait for it and ask again.
        let unserved = if scene == Scenario::Cold { 0 } else { tally.without };
        asked.fetches <= bound.fetches
            && (bound.may_fail || tally.failed + unserved == 0)
            && alarm != Some(false)
    });
    Ok(ScenarioResult::new(scene.description(), way.description(), asked, tally, alarm, held))
}

/// Runs the callers while the trouble happens.
async fn run_disturbance(
    scene: Scenario,
    way: TokenStrategy,
    stage: &mut TokenDeployment,
    short: bool,
) -> anyhow::Result<CallResults> {
    let go = scene.call_plan(short);
    // The deployment is borrowed by both futures below.
    let mut killed = None;
    if scene == Scenario::KeeperKilled {
        killed = Some(stage.lease_holder().await?);
    }
    let mut keepers = std::mem::take(&mut stage.token_services);
    let stage_seen = &*stage;
    let happen = async {
        match scene {
            Scenario::Cold => {}
            Scenario::NewestOnly => {
                stage_seen.wechat.change_behaviour(|behaviour| {
                    behaviour.force_kills_former = true;
                    behaviour.classic_kills_former = true;
                });
                stage_seen.wechat.kill_tokens(None, TokenInvalidation::Replaced);
            }
            Scenario::EveryRefused => {
                stage_seen.wechat.add_fault(Fault::errcode("/cgi-bin/getcallbackip", 40001));
            }
            // The short life of the tokens is the whole scenario.
            Scenario::Foreseen => {}
            Scenario::Unforeseen => {
                sleep(Duration::from_millis(500)).await;
                stage_seen.wechat.advance_clock(Duration::from_secs(7200));
            }
            Scenario::Storm => {
                for _ in 0..Scenario::storm_count(short) {
                    sleep(Duration::from_millis(500)).await;
                    stage_seen.wechat.kill_tokens(None, TokenInvalidation::Replaced);
                    sleep(Duration::from_millis(1_500)).await;
                }
            }
            Scenario::KeeperKilled => {
                // The delay leaves time to kill the process between its request and the answer.
                let delay = Effect::Delay { ms: 1_000 };
                stage_seen.wechat.add_fault(Fault::new("/cgi-bin/stable_token", delay).times(1));
                let known = stage_seen.wechat_usage().fetches;
                let holder = killed.expect("found above");
                while stage_seen.wechat_usage().fetches == known {
                    sleep(Duration::from_millis(5)).await;
                }
                keepers[holder].program.kill();
            }
            Scenario::RedisLost => {
                sleep(Duration::from_secs(1)).await;
                stage_seen.redis.kill();
                stage_seen.redis.lose_data();
                sleep(Duration::from_secs(3)).await;
                stage_seen.redis.restart();
            }
        }
    };
    let begins_with_it = matches!(scene, Scenario::NewestOnly | Scenario::EveryRefused);
    let tally = if begins_with_it {
        happen.await;
        stage_seen.run_plan(go).await
    } else {
        tokio::join!(happen, stage_seen.run_plan(go)).1
    };
    stage.token_services = keepers;
    let _ = way;
    tally
}
