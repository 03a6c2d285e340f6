//! Central token server (中控服务器): other systems of the same owner read an account's token here
//! instead of fetching their own, and report one that WeChat refused.
//!
//! Off unless configured. Every caller has a key, which opens certain accounts at a rate. Responses
//! must not be cached.

mod keys;
mod openapi;
mod problems;

pub use keys::ServerKey;

use crate::TokenService;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::{Json, Router};
use keys::Keys;
use paihao_access_token::{CachedToken, TokenReader};
use paihao_chassis::clock::Clock;
use paihao_chassis::http::ConnectionLimits;
use paihao_chassis::{Tasks, http};
use paihao_http_api::openapi::{ApiArgument, Operation};
use paihao_http_api::{ApiState, Problem, ProblemKind, body};
use paihao_wechat::{AccessToken, TokenUnavailable};
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Largest body of a report, which holds one token and nothing else.
const MAX_REPORT_BYTES: usize = 4096;

/// Value of `Retry-After` while there is no usable token.
const NO_TOKEN_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Settings of the token server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Keys of the callers.
    pub keys: Vec<ServerKey>,
    /// Requests a minute that each key may make; all of them at once after a pause.
    pub per_minute: u32,
}

/// A running server. Clones are the same one.
#[derive(Clone)]
pub struct TokenServer(Arc<ServerState>);

/// State of the server's router.
struct ServerState {
    keys: RwLock<Keys>,
    service: TokenService,
    tokens: TokenReader,
    clock: Arc<dyn Clock>,
    started_at: Instant,
}

/// [`ServerState`] as the router shares it.
#[derive(Clone)]
struct SharedState(Arc<ServerState>);

impl ApiState for SharedState {
    const MALFORMED_REQUEST: &'static ProblemKind = &problems::MALFORMED;
    const BODY_TOO_LARGE: &'static ProblemKind = &problems::TOO_LARGE;
}

impl TokenServer {
    /// Serves on a listener until the soft stop. `tokens` reads tokens that the keepers of any
    /// replica store, so every replica may serve.
    pub fn start(
        settings: ServerSettings,
        service: TokenService,
        tokens: TokenReader,
        clock: Arc<dyn Clock>,
        listener: TcpListener,
        tasks: &Tasks,
    ) -> TokenServer {
        let keys = RwLock::new(Keys::new(settings));
        let state = ServerState { keys, service, tokens, clock, started_at: Instant::now() };
        let server = TokenServer(Arc::new(state));
        http::serve(tasks, "token server", listener, server.router(), ConnectionLimits::internal());
        server
    }

    /// Replaces the settings. A key that stays keeps the rest of its rate.
    pub fn set(&self, settings: ServerSettings) {
        self.0.keys.write().replace(settings);
    }

    fn router(&self) -> Router {
        openapi::routes()
            .into_router()
            .method_not_allowed_fallback(async || Problem::new(&problems::WRONG_METHOD))
            .fallback(async || Problem::new(&problems::UNKNOWN_PATH))
            .layer(from_fn(no_store))
            .with_state(SharedState(self.0.clone()))
    }
}

/// Forbids caching of the response.
async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Account of the path, which the request's key opens. It is extracted before the body is read.
struct AuthorizedAccount(String);

impl ApiArgument<SharedState> for AuthorizedAccount {
    fn describe(operation: Operation<SharedState>) -> Operation<SharedState> {
        operation.security(&["key"]).refuses(&[
            &problems::UNAUTHORISED,
            &problems::NOT_YOUR_ACCOUNT,
            &problems::UNKNOWN_ACCOUNT,
            &problems::UNKNOWN_PATH,
            &problems::TOO_OFTEN,
        ])
    }
}

impl FromRequestParts<SharedState> for AuthorizedAccount {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        SharedState(state): &SharedState,
    ) -> Result<AuthorizedAccount, Problem> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        let Path(account) = path.map_err(|_| Problem::new(&problems::UNKNOWN_PATH))?;
        let authorization = parts.headers.get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let bearer = authorization.and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        state.keys.read().admit(bearer, &account, state.started_at.elapsed())?;
        if state.service.keeps(&account) {
            Ok(AuthorizedAccount(account))
        } else {
            Err(Problem::new(&problems::UNKNOWN_ACCOUNT))
        }
    }
}

/// A token to use now. To be kept in memory for a minute or so, and nowhere else.
#[derive(Serialize, JsonSchema)]
struct TokenView {
    /// The account's name in the configuration.
    account: String,
    /// The token.
    #[schemars(length(min = 1))]
    access_token: String,
    /// Seconds that are left of its life.
    expires_in: u64,
}

async fn read_token(
    State(SharedState(state)): State<SharedState>,
    AuthorizedAccount(account): AuthorizedAccount,
) -> Result<Json<TokenView>, Problem> {
    let token = state.tokens.current_token(&account).await;
    state.token_response(account, "read", token)
}

/// The token with which WeChat answered 40001, 40014 or 42001.
#[derive(Deserialize, JsonSchema)]
struct RefusedTokenReport {
    /// The token.
    #[schemars(length(min = 1))]
    access_token: String,
}

async fn report_refused(
    State(SharedState(state)): State<SharedState>,
    AuthorizedAccount(account): AuthorizedAccount,
    body: Body,
) -> Result<Json<TokenView>, Problem> {
    let report: RefusedTokenReport =
        body::read_json::<SharedState, _>(body, MAX_REPORT_BYTES).await?;
    if report.access_token.is_empty() {
        return Err(Problem::new(&problems::MALFORMED));
    }
    let refused = AccessToken::new(report.access_token);
    let token = state.tokens.token_after_refusal(&account, &refused).await;
    state.token_response(account, "refused", token)
}

impl ServerState {
    /// Response of an operation, which the log names.
    fn token_response(
        &self,
        account: String,
        operation: &'static str,
        token: Result<CachedToken, TokenUnavailable>,
    ) -> Result<Json<TokenView>, Problem> {
        let cached = token.map_err(|TokenUnavailable(why)| {
            let problem = Problem::new(&problems::NO_TOKEN).with_detail(why);
            problem.with_retry_after(NO_TOKEN_RETRY_DELAY)
        })?;
        let left_ms = u64::try_from(cached.expires_at_ms - self.clock.now_ms()).unwrap_or(0);
        let fingerprint = cached.token.fingerprint();
        tracing::debug!(account, operation, fingerprint, "token served");
        metrics::counter!("paihao_token_server_answers_total", "account" => account.clone())
            .increment(1);
        let access_token = cached.token.expose().to_owned();
        Ok(Json(TokenView { account, access_token, expires_in: left_ms / 1000 }))
    }
}
