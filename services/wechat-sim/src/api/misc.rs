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
    let account = match world.account_of_token(query.access_token.as_deref()) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let templates = account.templates.lock();
    let listed = templates.iter().map(|template| {
        json!({
            "template_id": template.template_id,
            "title": template.title,
            "primary_industry": "",
            "deputy_industry": "",
            "content": template.content("："),
            "example": "",
        })
    });
    answer(&json!({ "template_list": listed.collect::<Vec<_>>() }))
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
