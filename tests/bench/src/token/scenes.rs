//! What happens to tokens, and how much of it WeChat and the callers may notice.

use super::Options;
use super::callers::{Go, Tally};
use super::report::Row;
use super::stage::{Asked, Stage};
use super::ways::Way;
use clap::ValueEnum;
use std::time::Duration;
use tokio::time::sleep;
use wechat_sim::{EarlyDeath, Effect, Fault};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scene {
    Cold,
    NewestOnly,
    EveryRefused,
    Foreseen,
    Unforeseen,
    Storm,
    KeeperKilled,
    RedisLost,
}

/// Fetches that the product may make, and whether a call may fail because no token was good.
struct Bound {
    fetches: u64,
    may_fail: bool,
}

impl Scene {
    pub const ALL: [Scene; 8] = [
        Scene::Cold,
        Scene::NewestOnly,
        Scene::EveryRefused,
        Scene::Foreseen,
        Scene::Unforeseen,
        Scene::Storm,
        Scene::KeeperKilled,
        Scene::RedisLost,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Scene::Cold => "cold start",
            Scene::NewestOnly => "replaced elsewhere, only the newest valid",
            Scene::EveryRefused => "every token refused",
            Scene::Foreseen => "expiry, foreseen",
            Scene::Unforeseen => "expiry before its time",
            Scene::Storm => "refusal storm",
            Scene::KeeperKilled => "token service killed while it refreshes",
            Scene::RedisLost => "Redis lost with its data",
        }
    }

    /// Whether it can happen to those without a token service, too.
    pub fn is_for_all(self) -> bool {
        !matches!(self, Scene::KeeperKilled | Scene::RedisLost)
    }

    fn life(self, short: bool) -> Option<Duration> {
        match self {
            Scene::Foreseen if short => Some(Duration::from_secs(6)),
            Scene::Foreseen => Some(Duration::from_secs(10)),
            Scene::KeeperKilled => Some(Duration::from_secs(20)),
            _ => None,
        }
    }

    fn storms(short: bool) -> u64 {
        if short { 2 } else { 4 }
    }

    fn load(self, short: bool) -> Go {
        let (full, less) = match self {
            Scene::Cold => return Go::ONCE,
            Scene::NewestOnly | Scene::Unforeseen => (4_000, 2_000),
            Scene::EveryRefused => (20_000, 6_000),
            Scene::Foreseen => (20_000, 8_000),
            Scene::Storm => (10_000, 5_000),
            Scene::KeeperKilled => (18_000, 18_000),
            Scene::RedisLost => (10_000, 8_000),
        };
        Go { for_ms: if short { less } else { full }, pause_ms: 50, until_good: false }
    }

    fn bound(self, short: bool) -> Bound {
        let fetches = match self {
            Scene::Cold | Scene::NewestOnly | Scene::Unforeseen | Scene::RedisLost => 1,
            Scene::EveryRefused | Scene::KeeperKilled => 2,
            // Half of a token's life after the other.
            Scene::Foreseen if short => 3,
            Scene::Foreseen => 4,
            Scene::Storm => Scene::storms(short),
        };
        Bound { fetches, may_fail: self == Scene::EveryRefused }
    }
}

/// Plays a scene.
pub async fn play(scene: Scene, way: Way, options: &Options) -> anyhow::Result<Row> {
    let short = options.short;
    let mut stage = Stage::start(way, options.callers).await?;
    if let Some(life) = scene.life(short) {
        stage.wechat.behave(|behaviour| behaviour.token_life = life);
    }
    let keepers = if scene == Scene::KeeperKilled { 2 } else { 1 };
    let (before, tally);
    if scene == Scene::Cold {
        before = stage.asked();
        if way == Way::Product {
            stage.add_keeper();
        }
        tally = stage.go(scene.load(short)).await?;
    } else {
        if way == Way::Product {
            for _ in 0..keepers {
                stage.add_keeper();
            }
            for keeper in &stage.keepers {
                keeper.until_ready().await?;
            }
        }
        stage.go(Go::ONCE).await?;
        before = stage.asked();
        tally = trouble(scene, way, &mut stage, short).await?;
    }
    let after = stage.asked();
    let alarm = match (scene, way) {
        (Scene::EveryRefused, Way::Product) => Some(stage.alarm("every_token_refused").await?),
        _ => None,
    };
    if scene == Scene::EveryRefused {
        stage.wechat.clear_faults();
        stage.go(Go::ONCE).await?;
    }
    stage.wechat.stop().await;
    let bound = (way == Way::Product).then(|| scene.bound(short));
    let asked = Asked {
        fetches: after.fetches - before.fetches,
        issued: after.issued - before.issued,
        calls: after.calls - before.calls,
    };
    let held = bound.map(|bound| {
        // Before there is a first token, callers may have to wait for it and ask again.
        let unserved = if scene == Scene::Cold { 0 } else { tally.without };
        asked.fetches <= bound.fetches
            && (bound.may_fail || tally.failed + unserved == 0)
            && alarm != Some(false)
    });
    Ok(Row::new(scene.words(), way.words(), asked, tally, alarm, held))
}

/// Callers call while it happens.
async fn trouble(scene: Scene, way: Way, stage: &mut Stage, short: bool) -> anyhow::Result<Tally> {
    let go = scene.load(short);
    // The stage is lent out to both sides of what follows.
    let mut killed = None;
    if scene == Scene::KeeperKilled {
        killed = Some(stage.holder().await?);
    }
    let mut keepers = std::mem::take(&mut stage.keepers);
    let stage_seen = &*stage;
    let happen = async {
        match scene {
            Scene::Cold => {}
            Scene::NewestOnly => {
                stage_seen.wechat.behave(|behaviour| {
                    behaviour.force_kills_former = true;
                    behaviour.classic_kills_former = true;
                });
                stage_seen.wechat.kill_tokens(None, EarlyDeath::Replaced);
            }
            Scene::EveryRefused => {
                stage_seen.wechat.add_fault(Fault::errcode("/cgi-bin/getcallbackip", 40001));
            }
            // The tokens' short lives are all there is to it.
            Scene::Foreseen => {}
            Scene::Unforeseen => {
                sleep(Duration::from_millis(500)).await;
                stage_seen.wechat.advance(Duration::from_secs(7200));
            }
            Scene::Storm => {
                for _ in 0..Scene::storms(short) {
                    sleep(Duration::from_millis(500)).await;
                    stage_seen.wechat.kill_tokens(None, EarlyDeath::Replaced);
                    sleep(Duration::from_millis(1_500)).await;
                }
            }
            Scene::KeeperKilled => {
                // Long enough for the process to be killed between asking and being answered.
                let delay = Effect::Delay { ms: 1_000 };
                stage_seen.wechat.add_fault(Fault::new("/cgi-bin/stable_token", delay).times(1));
                let known = stage_seen.asked().fetches;
                let holder = killed.expect("found above");
                while stage_seen.asked().fetches == known {
                    sleep(Duration::from_millis(5)).await;
                }
                keepers[holder].program.kill();
            }
            Scene::RedisLost => {
                sleep(Duration::from_secs(1)).await;
                stage_seen.redis.kill();
                stage_seen.redis.lose_data();
                sleep(Duration::from_secs(3)).await;
                stage_seen.redis.restart();
            }
        }
    };
    let begins_with_it = matches!(scene, Scene::NewestOnly | Scene::EveryRefused);
    let tally = if begins_with_it {
        happen.await;
        stage_seen.go(go).await
    } else {
        tokio::join!(happen, stage_seen.go(go)).1
    };
    stage.keepers = keepers;
    let _ = way;
    tally
}
