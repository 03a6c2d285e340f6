//! The owner's central token server (中控服务器): other systems of the same owner read an account's
//! token here instead of fetching their own, and say when WeChat refused it.
//!
//! Off unless configured. Every caller has a key of its own, which opens the accounts it is for, at
//! a rate. Answers are never to be stored by anything in between.

mod described;
mod keys;
mod refusals;

pub use keys::ServerKey;

use crate::TokenService;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use described::{Route, RouteKind, document};
use keys::Keys;
use paihao_access_token::{CachedToken, TokenReader};
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, http};
use paihao_wechat::{AccessToken, TokenUnavailable};
use parking_lot::RwLock;
use refusals::Problem;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// A report holds one token and nothing else.
const LARGEST_REPORT: usize = 4096;

/// What the server can be told.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Who may ask, and for what.
    pub keys: Vec<ServerKey>,
    /// Requests a minute that each key may make; all of them at once after a pause.
    pub per_minute: u32,
}

/// A running server. Clones are the same one.
#[derive(Clone)]
pub struct TokenServer(Arc<Desk>);

struct Desk {
    keys: RwLock<Keys>,
    service: TokenService,
    tokens: TokenReader,
    clock: Arc<dyn Clock>,
    begun: Instant,
}

impl TokenServer {
    /// Serves on a listener until the soft stop. `tokens` reads what any replica's keepers store, so
    /// every replica may serve.
    pub fn start(
        settings: ServerSettings,
        service: TokenService,
        tokens: TokenReader,
        clock: Arc<dyn Clock>,
        listener: TcpListener,
        tasks: &Tasks,
    ) -> TokenServer {
        let keys = RwLock::new(Keys::new(settings));
        let desk = Desk { keys, service, tokens, clock, begun: Instant::now() };
        let server = TokenServer(Arc::new(desk));
        http::serve(tasks, "token server", listener, server.router());
        server
    }

    /// Other keys from now on. Those that stay go on with what is left of their minute.
    pub fn set(&self, settings: ServerSettings) {
        self.0.keys.write().replace(settings);
    }

    fn router(&self) -> Router {
        let routes = routes().into_iter();
        routes
            .fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
            .method_not_allowed_fallback(async || Problem::of(&refusals::WRONG_METHOD))
            .fallback(async || Problem::of(&refusals::UNKNOWN_PATH))
            .layer(from_fn(unstored))
            .with_state(self.0.clone())
    }
}

/// All there are.
fn routes() -> [Route; 3] {
    [
        Route {
            path: "/token/{account}",
            method: "get",
            handler: || get(current),
            id: "read_token",
            summary: "The account's token, and how long it lives",
            kind: RouteKind::Reading,
            refuses: &[
                &refusals::UNAUTHORISED,
                &refusals::NOT_YOUR_ACCOUNT,
                &refusals::UNKNOWN_ACCOUNT,
                &refusals::UNKNOWN_PATH,
                &refusals::TOO_OFTEN,
                &refusals::NO_TOKEN,
            ],
        },
        Route {
            path: "/token/{account}/refused",
            method: "post",
            handler: || post(refused),
            id: "report_refused_token",
            summary: "Says that WeChat refused this token; the answer is another",
            kind: RouteKind::Report,
            refuses: &[
                &refusals::UNAUTHORISED,
                &refusals::NOT_YOUR_ACCOUNT,
                &refusals::UNKNOWN_ACCOUNT,
                &refusals::UNKNOWN_PATH,
                &refusals::MALFORMED,
                &refusals::TOO_LARGE,
                &refusals::TOO_OFTEN,
                &refusals::NO_TOKEN,
            ],
        },
        Route {
            path: "/openapi.json",
            method: "get",
            handler: || get(async || Json(document(&routes()))),
            id: "openapi",
            summary: "This document",
            kind: RouteKind::Document,
            refuses: &[],
        },
    ]
}

/// Tokens stay out of every cache.
async fn unstored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn current(
    State(desk): State<Arc<Desk>>,
    account: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let account = named(account)?;
    desk.admitted(&account, &headers)?;
    Ok(desk.told(&account, "read", desk.tokens.current_token(&account).await))
}

/// What is no text names nothing.
fn named(account: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    account.map(|Path(account)| account).map_err(|_| Problem::of(&refusals::UNKNOWN_PATH))
}

#[derive(Deserialize)]
struct Report {
    access_token: String,
}

async fn refused(
    State(desk): State<Arc<Desk>>,
    account: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let account = named(account)?;
    // Who may ask is settled before a byte of the body is read.
    desk.admitted(&account, &headers)?;
    let body = to_bytes(body, LARGEST_REPORT).await;
    let body = body.map_err(|_| Problem::of(&refusals::TOO_LARGE))?;
    let report = serde_json::from_slice::<Report>(&body).ok();
    let report = report.filter(|report| !report.access_token.is_empty());
    let report = report.ok_or_else(|| Problem::of(&refusals::MALFORMED))?;
    let token = AccessToken::new(report.access_token);
    Ok(desk.told(&account, "refused", desk.tokens.token_after_refusal(&account, &token).await))
}

impl Desk {
    /// Whether this request may be answered at all.
    fn admitted(&self, account: &str, headers: &HeaderMap) -> Result<(), Problem> {
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok());
        let bearer = given.and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        self.keys.read().admit(bearer, account, self.begun.elapsed())?;
        match self.service.keeps(account) {
            true => Ok(()),
            false => Err(Problem::of(&refusals::UNKNOWN_ACCOUNT)),
        }
    }

    fn told(
        &self,
        account: &str,
        what: &str,
        token: Result<CachedToken, TokenUnavailable>,
    ) -> Response {
        let kept = match token {
            Ok(kept) => kept,
            Err(TokenUnavailable(why)) => {
                let again = Duration::from_secs(5);
                return Problem::of(&refusals::NO_TOKEN).saying(why).after(again).into_response();
            }
        };
        let left_ms = u64::try_from(kept.expires_at_ms - self.clock.now_ms()).unwrap_or(0);
        let fingerprint = kept.token.fingerprint();
        tracing::debug!(account, what, fingerprint, "a token was handed out");
        metrics::counter!("paihao_token_server_answers_total", "account" => account.to_owned())
            .increment(1);
        Json(json!({
            "account": account,
            "access_token": kept.token.expose(),
            "expires_in": left_ms / 1000,
        }))
        .into_response()
    }
}
