//! Handlers of `token` and `stable_token`.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::answers::{json, refusal};
use crate::api::Parameters;
use crate::config::Behaviour;
use crate::random;
use crate::tokens::{IssueRules, IssuedToken};
use crate::world::{AccountState, SharedState};

pub(crate) async fn classic(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    let account = match owner(
        &world,
        query.grant_type.as_deref(),
        query.appid.as_deref(),
        query.secret.as_deref(),
    ) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let now = world.clock.now_ms();
    let quotas = world.config.quotas;
    if !account.quota.lock().try_take_today("classic", quotas.classic_per_day, now) {
        return refusal(45009);
    }
    let rules = issue_rules(&world, |behaviour| behaviour.classic_kills_former);
    let token = account.tokens.lock().classic(random_token(), now, rules);
    world.stats.update(|stats| {
        stats.classic_fetches += 1;
        stats.tokens_issued += 1;
    });
    token_response(token)
}

#[derive(Deserialize)]
struct StableTokenRequest {
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    #[serde(default)]
    force_refresh: bool,
}

pub(crate) async fn stable(State(world): State<SharedState>, body: Bytes) -> Response {
    let Ok(token_request) = serde_json::from_slice::<StableTokenRequest>(&body) else {
        return refusal(47001);
    };
    let account = match owner(
        &world,
        token_request.grant_type.as_deref(),
        token_request.appid.as_deref(),
        token_request.secret.as_deref(),
    ) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let now = world.clock.now_ms();
    let quotas = world.config.quotas;
    let mut quota = account.quota.lock();
    if !quota.try_take_this_minute("stable-minute", quotas.stable_per_minute, now) {
        return refusal(45011);
    }
    if !quota.try_take_today("stable", quotas.stable_per_day, now) {
        return refusal(45009);
    }
    let gap = quotas.forced_gap.as_millis() as u64;
    let rules = issue_rules(&world, |behaviour| behaviour.force_kills_former);
    let mut tokens = account.tokens.lock();
    let may_force = token_request.force_refresh
        && tokens.may_force(now, gap)
        && quota.try_take_today("forced", quotas.forced_per_day, now);
    let token = if may_force {
        tokens.force_refresh(random_token(), now, rules)
    } else {
        tokens.stable(random_token(), now, rules.life_ms)
    };
    world.stats.update(|stats| {
        stats.stable_fetches += 1;
        stats.tokens_issued += u64::from(token.is_new);
        stats.forced_refreshes += u64::from(may_force);
    });
    token_response(token)
}

fn issue_rules(world: &SharedState, kills_former: impl Fn(&Behaviour) -> bool) -> IssueRules {
    let behaviour = world.behaviour.lock();
    let life_ms = behaviour.token_life.as_millis() as u64;
    IssueRules { life_ms, invalidate_previous: kills_former(&behaviour) }
}

fn owner<'a>(
    world: &'a SharedState,
    grant_type: Option<&str>,
    appid: Option<&str>,
    secret: Option<&str>,
) -> Result<&'a AccountState, i64> {
    if grant_type != Some("client_credential") {
        return Err(40002);
    }
    world.account_of_credentials(appid, secret)
}

/// Creates a random token. It begins with a generation number, as WeChat's do.
fn random_token() -> String {
    format!("98_{}", random::text::<133>())
}

fn token_response(token: IssuedToken) -> Response {
    #[derive(Serialize)]
    struct Grant {
        access_token: String,
        expires_in: u64,
    }
    json(&Grant { access_token: token.value, expires_in: token.expires_in })
}
