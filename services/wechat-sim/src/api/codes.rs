//! Handlers of `qrcode/create` and `showqrcode`.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::answers::{json, refusal};
use crate::api::Parameters;
use crate::codes::{Code, encode_ticket, parse_request};
use crate::picture;
use crate::random;
use crate::world::SharedState;

pub(crate) async fn create(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    match create_code(&world, query.access_token.as_deref(), &body) {
        Ok(answer) => answer,
        Err(errcode) => refusal(errcode),
    }
}

fn create_code(world: &SharedState, token: Option<&str>, body: &[u8]) -> Result<Response, i64> {
    #[derive(Serialize)]
    struct Created<'a> {
        ticket: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        expire_seconds: Option<u32>,
        url: &'a str,
    }
    let account = world.account_of_token(token)?;
    let request: Value = serde_json::from_slice(body).map_err(|_| 47001)?;
    let qr_request = parse_request(&request)?;
    let now = world.clock.now_ms();
    if !account.quota.lock().try_take_today("codes", world.config.quotas.codes_per_day, now) {
        return Err(45009);
    }
    let url = format!("http://weixin.qq.com/q/02{}", random::text::<20>());
    let expire_seconds = qr_request.expire_seconds.unwrap_or(0);
    let code = world.codes.lock().add(Code {
        ticket: encode_ticket(random::bytes(), &url, (now / 1000) as u32, expire_seconds),
        url,
        appid: account.config.appid.clone(),
        scene: qr_request.scene,
        created_at: now,
        expires_at: qr_request
            .expire_seconds
            .map(|expire_seconds| now + u64::from(expire_seconds) * 1000),
    })?;
    world.stats.update(|stats| stats.codes_created += 1);
    world.publish("code", || code.clone());
    let ticket = &*code.ticket;
    let url = &*code.url;
    Ok(json(&Created { ticket, expire_seconds: qr_request.expire_seconds, url }))
}

/// Returns the picture of a code, also of an expired one.
pub(crate) async fn picture(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    let code = world.codes.lock().find(&query.ticket.unwrap_or_default());
    match code.and_then(|code| picture::jpeg(&code.url)) {
        Some(file) => {
            let headers = [
                (CONTENT_TYPE, "image/jpg"),
                (CACHE_CONTROL, "max-age=604800"),
                (ACCEPT_RANGES, "bytes"),
            ];
            (headers, file).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
