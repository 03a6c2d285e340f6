//! Callbacks of WeChat: verified and decrypted here, handled in [`dispatch`].
//!
//! A push is answered within [`REPLY_TIMEOUT`] whatever happens, since WeChat waits for five
//! seconds and then shows the customer an error of its own.

mod customer_action;
mod dispatch;
pub(crate) mod fault;
mod forward;
pub(crate) mod forwarder;
mod invitation;
mod login;
mod opening_hours;
mod queue_choice;
mod scan;
mod template_test;
mod ticket_commands;
mod ticket_list;

mod erasure;
pub(crate) mod late_erasures;
pub(crate) mod late_receipts;
pub(crate) mod open_windows;
pub(crate) mod receipts;
mod refused_recipients;
mod send_window;
pub(crate) mod shared_faults;

use crate::http::client_ip::ClientIp;
use crate::http::guesses::Guess;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use dispatch::{PushHandler, Reply};
use fault::{CallbackFault, CallbackOrigin};
use paihao_chassis::entropy;
use paihao_contracts::callback_faults::{CallbackVerification, VERIFICATION_RETENTION};
use paihao_contracts::streams::callback_verification_key;
use paihao_http_api::body;
use paihao_wechat::callback::{
    self, CallbackQuery, Message, Protection, ReplyEncryptor, VerifiedCallback,
};
use paihao_wechat::forward::{FORWARDED, RawPush};
use paihao_wechat::probe;
use schemars::JsonSchema;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Time limit for the reply to a push.
const REPLY_TIMEOUT: Duration = Duration::from_millis(4500);

/// Time limit for noting a verification.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

/// Refusals of a request without WeChat's signature.
const SIGNATURE_REFUSALS: [&ProblemKind; 4] = [
    &refusals::UNKNOWN_ACCOUNT,
    &refusals::BAD_CALLBACK_QUERY,
    &refusals::WRONG_SIGNATURE,
    &refusals::STALE_CALLBACK,
];

/// Routes of the callback addresses of all accounts.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(
            "/wechat/{account}",
            verify,
            endpoint("verify", "Answers WeChat's verification of the callback address")
                .signed_query::<WeChatCallbackQuery>()
                .responds_with("text/plain")
                .refuses(&SIGNATURE_REFUSALS),
        )
        .post(
            "/wechat/{account}",
            receive,
            endpoint("hear", "Receives a push of WeChat")
                .signed_query::<WeChatCallbackQuery>()
                .body_as::<String>("text/xml")
                .without_idempotency_key(
                    "what a push says identifies it: WeChat repeats it without more",
                )
                .responds_with("text/xml")
                .responds_with("text/plain")
                .refuses(&SIGNATURE_REFUSALS)
                .refuses(&[&refusals::MALFORMED_REQUEST]),
        )
}

/// Signature of a callback, for the OpenAPI document only: the codec parses the query.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct WeChatCallbackQuery {
    /// Signature over token, timestamp and nonce.
    signature: String,
    /// Time in Unix seconds.
    timestamp: String,
    /// Random text of WeChat.
    nonce: String,
    /// Text that the response to a verification repeats.
    echostr: Option<String>,
    /// `aes`, if the body is encrypted.
    encrypt_type: Option<String>,
    /// Signature over the encrypted body, too.
    msg_signature: Option<String>,
}

/// `GET /wechat/{account}`: verifies that this server knows the token. WeChat signs the request in
/// the same way in every mode.
async fn verify(
    State(state): State<AppState>,
    Path(name): Path<String>,
    client_ip: ClientIp,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let now_ms = state.clock.now_ms();
    let faults = &state.callback_faults;
    let Some(account) = state.deployment.account(&name) else {
        return faults.answer_unknown_account(now_ms);
    };
    let mut origin = CallbackOrigin { account: &name, is_probe: false, now_ms };
    let query = query.as_deref().unwrap_or_default();
    let query = match authenticate(&state, &mut origin, &account.protection(), query) {
        Ok(query) => query,
        Err((fault, detail)) => {
            note_guess(&state, fault, client_ip).await;
            return faults.answer(&origin, fault, detail);
        }
    };
    match query.echostr {
        Some(echostr) => {
            if !origin.is_probe {
                note_verification(&state, &name, now_ms).await;
            }
            Ok(echostr.into_response())
        }
        None => faults.answer(&origin, CallbackFault::BadQuery, "no echostr"),
    }
}

/// Notes for the owner that WeChat has verified the address. The answer does not depend on it.
async fn note_verification(state: &AppState, account: &str, now_ms: i64) {
    let record = CallbackVerification::new(now_ms).encode();
    let key = callback_verification_key(account);
    let noted = state.cache.put(&key, record.into(), VERIFICATION_RETENTION);
    if !matches!(timeout(NOTE_TIMEOUT, noted).await, Ok(Ok(_))) {
        tracing::debug!(account, "cannot note that the address of callbacks was verified");
    }
    tracing::info!(account, "WeChat verified the address of an account's callbacks");
}

/// `POST /wechat/{account}`: receives a push about an action of a person.
async fn receive(
    State(state): State<AppState>,
    Path(name): Path<String>,
    client_ip: ClientIp,
    request: Request,
) -> Result<Response, Problem> {
    let deadline = Instant::now() + REPLY_TIMEOUT;
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let raw_query = uri.query().unwrap_or_default();
    let now_ms = state.clock.now_ms();
    let faults = &state.callback_faults;
    let Some(account) = state.deployment.account(&name) else {
        return faults.answer_unknown_account(now_ms);
    };
    let protection = account.protection();
    let mut origin = CallbackOrigin { account: &name, is_probe: false, now_ms };
    let query = match authenticate(&state, &mut origin, &protection, raw_query) {
        Ok(query) => query,
        Err((fault, detail)) => {
            note_guess(&state, fault, client_ip).await;
            return faults.answer(&origin, fault, detail);
        }
    };
    let limit = state.settings.max_callback_body_bytes;
    let body = match timeout_at(deadline, body::read::<AppState>(body, limit)).await {
        Ok(Err(problem)) if problem.kind() == &refusals::BODY_TOO_LARGE => {
            return faults.answer(&origin, CallbackFault::TooLarge, "");
        }
        Ok(body) => body?,
        Err(_) => return faults.answer(&origin, CallbackFault::SlowBody, ""),
    };
    let opened = protection.open(&query, &body, limit);
    let VerifiedCallback { message, is_content_signed, reply_encryptor } = match opened {
        Ok(verified) => verified,
        Err(error) => {
            note_guess(&state, error.into(), client_ip).await;
            return faults.answer(&origin, error.into(), error);
        }
    };
    let window = state.settings.max_callback_clock_skew;
    if is_content_signed && !callback::created_near(message.create_time, &query.timestamp, window) {
        return faults.answer(&origin, CallbackFault::Misdated, "");
    }
    metrics::counter!("paihao_gateway_callbacks_total", "kind" => message.kind.name()).increment(1);
    let raw =
        RawPush { query: raw_query, content_type: headers.get(header::CONTENT_TYPE), body: &body };
    let tags = match timeout_at(deadline, state.person_tags()).await {
        Ok(tags) => tags?,
        Err(_) => return Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
    };
    let handler = PushHandler {
        state: &state,
        tags,
        account_name: &name,
        account: account.replies(),
        message: &message,
        raw: (!headers.contains_key(FORWARDED)).then_some(raw),
        deadline,
    };
    let reply = handler.handle().await?;
    Ok(reply_response(&state, &message, reply, reply_encryptor, &query.nonce))
}

/// Builds the response with a reply, encrypted if the mode demands it.
fn reply_response(
    state: &AppState,
    message: &Message,
    reply: Reply,
    encryptor: Option<ReplyEncryptor<'_>>,
    nonce: &str,
) -> Response {
    let (to, from) = (&message.from_user, &*message.to_user);
    let plain = match reply {
        // WeChat takes an empty text for an error.
        Reply::Text { text, .. } if text.trim().is_empty() => return success_response(),
        Reply::Empty => return success_response(),
        Reply::Text { text, at_s } => callback::text_reply(to, from, at_s, &text),
        Reply::Transfer { kf_account } => {
            callback::transfer_reply(to, from, message.create_time, kf_account.as_deref())
        }
        Reply::Forwarded(reply) => {
            let mut response = reply.body.into_response();
            response.headers_mut().remove(header::CONTENT_TYPE);
            if let Some(content_type) = reply.content_type {
                response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            }
            return response;
        }
    };
    let reply = match encryptor {
        None => plain,
        Some(encryptor) => {
            let now_s = state.clock.now_ms().div_euclid(1000);
            encryptor.encrypt_reply(&plain, now_s, nonce, entropy::bytes())
        }
    };
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], reply).into_response()
}

/// Counts a wrong signature, and slows its sender. What WeChat signed is never slowed.
async fn note_guess(state: &AppState, fault: CallbackFault, client_ip: ClientIp) {
    if fault == CallbackFault::WrongSignature {
        state.guesses.note_wrong(Guess::Signature, client_ip).await;
    }
}

/// Authenticates a callback by its signature and time. Returns its query, or the fault with its
/// detail.
fn authenticate(
    state: &AppState,
    origin: &mut CallbackOrigin<'_>,
    protection: &Protection,
    query: &str,
) -> Result<CallbackQuery, (CallbackFault, String)> {
    let query = CallbackQuery::parse(query)
        .map_err(|error| (CallbackFault::BadQuery, error.to_string()))?;
    origin.is_probe = probe::is_probe(&query);
    if !protection.verify(&query) {
        return Err((CallbackFault::WrongSignature, String::new()));
    }
    let now_ms = origin.now_ms;
    if let Some(skew) = callback::skew_s(&query.timestamp, now_ms) {
        let gauge = metrics::gauge!(
            "paihao_gateway_callback_skew_seconds", "account" => origin.account.to_owned()
        );
        gauge.set(skew);
    }
    let window = state.settings.max_callback_clock_skew;
    if callback::within_window(&query.timestamp, now_ms, window) {
        Ok(query)
    } else {
        Err((CallbackFault::Stale, String::new()))
    }
}

/// Answer after which WeChat neither repeats a push nor shows anything.
fn success_response() -> Response {
    "success".into_response()
}
