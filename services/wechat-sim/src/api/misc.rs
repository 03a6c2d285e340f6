//! Handlers of the account's templates and the addresses of WeChat's servers.

use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::json;

use crate::answers::{json as answer, refusal};
use crate::api::Parameters;
use crate::world::SharedState;

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
