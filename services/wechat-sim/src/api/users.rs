//! Handlers of followers: one, many, their list, and remarks about them.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{Answer, json as answer, ok, respond};
use crate::api::Parameters;
use crate::people::{People, unionid};
use crate::world::{AccountState, SharedState};

/// Most followers of one page of the list.
const MAX_LISTED_FOLLOWERS: usize = 10_000;
/// Most people of one call of `user/info/batchget`.
const MAX_BATCH_USERS: usize = 100;

pub(crate) async fn info(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    respond(user_of_query(&world, &query.access_token, &query.openid.unwrap_or_default()))
}

fn user_of_query(world: &SharedState, token: &Option<String>, openid: &str) -> Answer {
    let account = world.account_of_token(token.as_deref())?;
    let now = world.clock.now_ms();
    let daily_limit = world.config.quotas.users_per_day;
    if !account.quota.lock().try_take_today("users", daily_limit, now) {
        return Err(45009);
    }
    Ok(answer(&user(account, &world.people.lock(), openid, now)?))
}

/// State of one person, as WeChat shows it to the account.
fn user(account: &AccountState, people: &People, openid: &str, now: u64) -> Result<Value, i64> {
    let person = people.get(account.index, openid).ok_or(40003)?;
    let mut user = json!({ "subscribe": 0, "openid": openid });
    if person.follows {
        let (since, scene) = person.since.clone().unwrap_or((now, None));
        let by_code = scene.is_some();
        let scene = scene.unwrap_or_default();
        let number = scene.parse::<u32>().ok();
        user = json!({
            "subscribe": 1,
            "openid": openid,
            "language": "zh_CN",
            "subscribe_time": since / 1000,
            "remark": person.remark,
            "groupid": person.tags.first().copied().unwrap_or(0),
            "tagid_list": person.tags,
            "subscribe_scene": if by_code { "ADD_SCENE_QR_CODE" } else { "ADD_SCENE_SEARCH" },
            "qr_scene": number.unwrap_or(0),
            "qr_scene_str": if number.is_some() { "" } else { &*scene },
        });
        if let Some(unionid) = unionid(&account.config, openid) {
            user["unionid"] = unionid.into();
        }
    }
    Ok(user)
}

#[derive(Deserialize)]
struct BatchRequest {
    user_list: Vec<BatchUser>,
}

#[derive(Deserialize)]
struct BatchUser {
    openid: String,
}

pub(crate) async fn batch(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let list = || -> Answer {
        let account = world.account_of_token(query.access_token.as_deref())?;
        let request: BatchRequest = serde_json::from_slice(&body).map_err(|_| 47001)?;
        if !(1..=MAX_BATCH_USERS).contains(&request.user_list.len()) {
            return Err(40032);
        }
        let now = world.clock.now_ms();
        let people = world.people.lock();
        let users: Result<Vec<_>, i64> = request
            .user_list
            .iter()
            .map(|wanted| user(account, &people, &wanted.openid, now))
            .collect();
        Ok(answer(&json!({ "user_info_list": users? })))
    };
    respond(list())
}

/// A page of the list, from the person behind `next_openid` on.
pub(crate) async fn followers(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    let list = || -> Answer {
        let account = world.account_of_token(query.access_token.as_deref())?;
        let now = world.clock.now_ms();
        let daily_limit = world.config.quotas.user_lists_per_day;
        if !account.quota.lock().try_take_today("user-lists", daily_limit, now) {
            return Err(45009);
        }
        let followers = world.people.lock().followers(account.index);
        let after = query.next_openid.as_deref().filter(|openid| !openid.is_empty());
        let begin = match after {
            None => 0,
            Some(after) => {
                1 + followers.iter().position(|openid| **openid == *after).ok_or(40003)?
            }
        };
        let page: Vec<_> = followers[begin..].iter().take(MAX_LISTED_FOLLOWERS).collect();
        let mut list = json!({
            "total": followers.len(),
            "count": page.len(),
            "next_openid": page.last().map_or("", |openid| &***openid),
        });
        if !page.is_empty() {
            list["data"] = json!({ "openid": page });
        }
        Ok(answer(&list))
    };
    respond(list())
}

#[derive(Deserialize)]
struct RemarkRequest {
    openid: String,
    remark: String,
}

pub(crate) async fn remark(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let remark = || -> Answer {
        let account = world.account_of_token(query.access_token.as_deref())?;
        let request: RemarkRequest = serde_json::from_slice(&body).map_err(|_| 47001)?;
        let mut people = world.people.lock();
        people.get(account.index, &request.openid).filter(|person| person.follows).ok_or(40003)?;
        people.get_or_insert(account.index, &request.openid).remark = request.remark;
        Ok(ok())
    };
    respond(remark())
}
