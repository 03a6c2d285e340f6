//! Handlers of a user's state, the account's templates and the addresses of WeChat's servers.

use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::json;

use crate::answers::{json as answer, refusal};
use crate::api::Parameters;
use crate::world::SharedState;

pub(crate) async fn user(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    let account = match world.account_of_token(query.access_token.as_deref()) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let now = world.clock.now_ms();
    let quotas = world.config.quotas;
    if !account.quota.lock().try_take_today("users", quotas.users_per_day, now) {
        return refusal(45009);
    }
    let openid = query.openid.unwrap_or_default();
    let people = world.people.lock();
    match people.get(account.index, &openid) {
        None => refusal(40003),
        Some(person) if !person.follows => answer(&json!({ "subscribe": 0, "openid": openid })),
        Some(person) => {
            let (since, scene) = person.since.clone().unwrap_or((now, None));
            let by_code = scene.is_some();
            let scene = scene.unwrap_or_default();
            let number = scene.parse::<u32>().ok();
            answer(&json!({
                "subscribe": 1,
                "openid": openid,
                "language": "zh_CN",
                "subscribe_time": since / 1000,
                "remark": "",
                "groupid": 0,
                "tagid_list": [],
                "subscribe_scene": if by_code { "ADD_SCENE_QR_CODE" } else { "ADD_SCENE_SEARCH" },
                "qr_scene": number.unwrap_or(0),
                "qr_scene_str": if number.is_some() { "" } else { &*scene },
            }))
        }
    }
}

pub(crate) async fn templates(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    if let Err(errcode) = world.account_of_token(query.access_token.as_deref()) {
        return refusal(errcode);
    }
    let templates = world.config.templates.iter().map(|template| {
        let lines = template.fields.iter();
        let lines: Vec<_> =
            lines.map(|(key, label)| format!("{label}：{{{{{key}.DATA}}}}\n")).collect();
        json!({
            "template_id": template.template_id,
            "title": template.title,
            "primary_industry": "",
            "deputy_industry": "",
            "content": lines.concat(),
            "example": "",
        })
    });
    answer(&json!({ "template_list": templates.collect::<Vec<_>>() }))
}

pub(crate) async fn callback_addresses(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    match world.account_of_token(query.access_token.as_deref()) {
        Ok(_) => answer(&json!({ "ip_list": ["127.0.0.1"] })),
        Err(errcode) => refusal(errcode),
    }
}

/// Refuses a call that the simulator does not support.
pub(crate) async fn unknown() -> Response {
    refusal(48001)
}
