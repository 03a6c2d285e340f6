//! The small calls: a user's state, the account's templates, the addresses pushes come from.

use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::json;

use crate::answers::{json as answer, refusal};
use crate::api::Parameters;
use crate::world::Shared;

pub(crate) async fn user(State(world): State<Shared>, Query(asked): Parameters) -> Response {
    let account = match world.account_of_token(asked.access_token.as_deref()) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let openid = asked.openid.unwrap_or_default();
    let follows = world.people.lock().get(account.index, &openid).map(|person| person.follows);
    match follows {
        None => refusal(40003),
        Some(false) => answer(&json!({ "subscribe": 0, "openid": openid })),
        Some(true) => answer(&json!({
            "subscribe": 1,
            "openid": openid,
            "language": "zh_CN",
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
            "subscribe_scene": "ADD_SCENE_QR_CODE",
            "qr_scene": 0,
            "qr_scene_str": "",
        })),
    }
}

pub(crate) async fn templates(State(world): State<Shared>, Query(asked): Parameters) -> Response {
    if let Err(errcode) = world.account_of_token(asked.access_token.as_deref()) {
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
    State(world): State<Shared>,
    Query(asked): Parameters,
) -> Response {
    match world.account_of_token(asked.access_token.as_deref()) {
        Ok(_) => answer(&json!({ "ip_list": ["127.0.0.1"] })),
        Err(errcode) => refusal(errcode),
    }
}

/// A call this simulator does not know.
pub(crate) async fn unknown() -> Response {
    refusal(48001)
}
