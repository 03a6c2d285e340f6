//! Callbacks of WeChat: verified and decrypted here, handled in [`dispatch`].
//!
//! A push is answered within [`REPLY_TIMEOUT`] whatever happens, since WeChat waits for five
//! seconds and then shows the customer an error of its own.

mod dispatch;
mod login;
mod scan;
mod ticket_commands;

mod receipts;
mod send_window;

use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemKind};
use crate::http::state::AppState;
use crate::settings::AccountSettings;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use dispatch::{PushHandler, Reply};
use paihao_chassis::entropy;
use paihao_http_api::body;
use paihao_wechat::callback::{self, CallbackError, CallbackQuery, VerifiedCallback};
use schemars::JsonSchema;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Time limit for the reply to a push.
const REPLY_TIMEOUT: Duration = Duration::from_millis(4500);

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
                .refuses(&[
                    &refusals::BODY_TOO_LARGE,
                    &refusals::MALFORMED_REQUEST,
                    &refusals::MALFORMED_XML,
                    &refusals::ENCRYPTED_CALLBACK,
                    &refusals::PLAIN_CALLBACK,
                    &refusals::UNDECIPHERABLE_CALLBACK,
                    &refusals::SLOW_BODY,
                ]),
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
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (_, query) = authenticate(&state, &account, query)?;
    let missing = || Problem::new(&refusals::BAD_CALLBACK_QUERY).with_detail("no echostr");
    Ok(query.echostr.ok_or_else(missing)?.into_response())
}

/// `POST /wechat/{account}`: receives a push about an action of a person.
async fn receive(
    State(state): State<AppState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let deadline = Instant::now() + REPLY_TIMEOUT;
    let (account, query) = authenticate(&state, &name, query)?;
    let limit = state.settings.max_callback_body_bytes;
    let read = timeout_at(deadline, body::read::<AppState>(body, limit)).await;
    let body = read.unwrap_or_else(|_| Err(Problem::new(&refusals::SLOW_BODY)))?;
    let VerifiedCallback { message, reply_encryptor } = account
        .protection
        .open(&query, &body, limit)
        .map_err(|error| callback_problem(&name, error))?;
    metrics::counter!("paihao_gateway_callbacks_total", "kind" => message.kind.name()).increment(1);
    let account = account.replies();
    let handler =
        PushHandler { state: &state, account_name: &name, account, message: &message, deadline };
    let Reply::Text { text, at_s } = handler.handle().await? else { return Ok(success_response()) };
    let plain = callback::text_reply(&message.from_user, &message.to_user, at_s, &text);
    let reply = match reply_encryptor {
        None => plain,
        Some(encryptor) => {
            let now_s = state.clock.now_ms().div_euclid(1000);
            encryptor.encrypt_reply(&plain, now_s, &query.nonce, entropy::bytes())
        }
    };
    Ok(([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], reply).into_response())
}

/// Authenticates a callback by its signature and time. Returns the account and the query.
fn authenticate<'a>(
    state: &'a AppState,
    name: &str,
    query: Option<String>,
) -> Result<(&'a AccountSettings, CallbackQuery), Problem> {
    let account = state.deployment.accounts.get(name).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let query = CallbackQuery::parse(query.as_deref().unwrap_or_default()).map_err(|error| {
        Problem::new(&refusals::BAD_CALLBACK_QUERY).with_detail(error.to_string())
    })?;
    if !account.protection.verify(&query) {
        return Err(Problem::new(&refusals::WRONG_SIGNATURE));
    }
    let now_ms = state.clock.now_ms();
    if let Some(skew) = callback::skew_s(&query.timestamp, now_ms) {
        let gauge = metrics::gauge!(
            "paihao_gateway_callback_skew_seconds", "account" => name.to_owned()
        );
        gauge.set(skew);
    }
    if callback::within_window(&query.timestamp, now_ms, state.settings.max_callback_clock_skew) {
        Ok((account, query))
    } else {
        Err(Problem::new(&refusals::STALE_CALLBACK))
    }
}

fn callback_problem(name: &str, error: CallbackError) -> Problem {
    let kind = match error {
        CallbackError::WrongSignature => &refusals::WRONG_SIGNATURE,
        CallbackError::MissingSignature => &refusals::BAD_CALLBACK_QUERY,
        CallbackError::Encrypted => &refusals::ENCRYPTED_CALLBACK,
        CallbackError::NotEncrypted => &refusals::PLAIN_CALLBACK,
        CallbackError::Undecipherable => {
            tracing::warn!(
                account = name,
                "a signed callback cannot be deciphered: aes_key or appid are not the console's"
            );
            &refusals::UNDECIPHERABLE_CALLBACK
        }
        CallbackError::Xml(_) => &refusals::MALFORMED_XML,
    };
    Problem::new(kind).with_detail(error.to_string())
}

fn success_response() -> Response {
    "success".into_response()
}
