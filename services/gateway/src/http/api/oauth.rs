//! Login for the owner's other sites: the authorization endpoint, the token endpoint, and the keys
//! that verify a token.

use crate::http::client_ip::ClientIp;
use crate::http::guesses::Guess;
use crate::http::openapi::{Routes, endpoint};
use crate::http::pages;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::login::settings::OAuthClient;
use crate::identity::oauth::authorize::{self, AuthorizeError};
use crate::identity::oauth::code::{self, RedeemError};
use crate::identity::oauth::id_token::{self, ID_TOKEN_TTL_S, IdTokenClaims, JwkSet, TokenKind};
use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use paihao_contracts::staff::StaffRole;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Serialize;

/// Largest form, in bytes.
const MAX_FORM_BYTES: usize = 8192;

pub(super) fn routes() -> Routes {
    Routes::new()
        .page("/login/authorize", get(authorize))
        .post(
            "/login/token",
            token,
            endpoint(
                "login_token",
                "Exchanges a client's authorization code for a signed token, once",
            )
            .body_as::<TokenRequest>("application/x-www-form-urlencoded")
            .without_idempotency_key("a code is good once")
            .responds_json::<TokenResponse>(StatusCode::OK)
            .refuses(&[&refusals::MALFORMED_REQUEST, &refusals::BODY_TOO_LARGE])
            .refuses(&[&refusals::UNKNOWN_CLIENT, &refusals::INVALID_GRANT])
            .refuses(&[&refusals::TOO_MANY_REQUESTS, &refusals::LOGIN_UNADDRESSED])
            .refuses(&[&refusals::CACHE_UNAVAILABLE, &refusals::LEDGER_UNAVAILABLE]),
        )
        .get(
            "/.well-known/jwks.json",
            jwks,
            endpoint(
                "login_keys",
                "Returns the keys that signatures of login tokens are checked with",
            )
            .responds_json::<JwkSet>(StatusCode::OK)
            .refuses(&[&refusals::LEDGER_UNAVAILABLE]),
        )
        .get(
            "/.well-known/openid-configuration",
            discovery,
            endpoint(
                "login_discovery",
                "Describes the login to clients (OpenID Connect Discovery)",
            )
            .responds_json::<DiscoveryDocument>(StatusCode::OK)
            .refuses(&[&refusals::LOGIN_UNADDRESSED]),
        )
        .get(
            "/.well-known/oauth-authorization-server",
            discovery,
            endpoint("login_metadata", "Describes the login to clients (RFC 8414)")
                .responds_json::<DiscoveryDocument>(StatusCode::OK)
                .refuses(&[&refusals::LOGIN_UNADDRESSED]),
        )
}

/// Form that exchanges a code for a token.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "says what is in the form, which is read field by field")]
struct TokenRequest {
    /// `authorization_code`.
    grant_type: String,
    code: String,
    /// Address that the browser was redirected to.
    redirect_uri: String,
    client_id: String,
    /// Text of which `code_challenge` is the SHA-256.
    code_verifier: String,
}

/// Token of a login.
#[derive(Serialize, JsonSchema)]
struct TokenResponse {
    /// A signed JWT (ES256). Its claims: `iss`, `sub`, `aud`, `iat`, `exp`, `auth_time` and
    /// `nonce`; `name`, `role` and `sites` for a client that only staff may log in to; `unionid`
    /// for a client with that option, where WeChat knows one.
    id_token: String,
    /// Validity of the token, in seconds.
    expires_in: i64,
}

async fn authorize(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let fields = match authorize::parse_params(query.as_deref().unwrap_or_default()) {
        Ok(fields) => fields,
        Err(error) => return Ok(pages::refused(&error.into())),
    };
    Ok(match authorize::parse_request(&state.settings.login, &fields) {
        Ok(_) => pages::login(),
        Err(AuthorizeError::Direct(error)) => pages::refused(&error.into()),
        Err(AuthorizeError::Redirect(url)) => Redirect::to(&url).into_response(),
    })
}

/// Header that lets scripts of other sites call the endpoint, for which no cookie counts.
const ALLOW_ANY_ORIGIN: (header::HeaderName, HeaderValue) =
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));

async fn token(
    State(state): State<AppState>,
    client_ip: ClientIp,
    body: Body,
) -> Result<Response, Problem> {
    Ok(match exchange_code(&state, client_ip, body).await {
        Ok(response) => (
            [ALLOW_ANY_ORIGIN, (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
            Json(response),
        )
            .into_response(),
        Err(problem) => {
            // The error code of OAuth, beside the code of this API.
            let error = match problem.kind().code {
                "invalid_grant" => "invalid_grant",
                "unknown_client" => "invalid_client",
                _ if problem.kind().status.is_server_error() => "temporarily_unavailable",
                _ => "invalid_request",
            };
            ([ALLOW_ANY_ORIGIN], refusals::with_oauth_error(problem, error)).into_response()
        }
    })
}

async fn exchange_code(
    state: &AppState,
    client_ip: ClientIp,
    body: Body,
) -> Result<TokenResponse, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let body = body::read::<AppState>(body, MAX_FORM_BYTES).await?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let fields = authorize::parse_params(text)?;
    let field = |name: &str| {
        let missing = || refusals::malformed(format!("no {name}"));
        fields.get(name).filter(|text| !text.is_empty()).ok_or_else(missing)
    };
    if field("grant_type")? != "authorization_code" {
        return Err(refusals::malformed("grant_type is authorization_code"));
    }
    let settings = &state.settings.login;
    let id = field("client_id")?;
    let client: &OAuthClient = settings.clients.get(id).ok_or(&refusals::UNKNOWN_CLIENT)?;
    let issuer = settings.public_url.clone().ok_or(&refusals::LOGIN_UNADDRESSED)?;
    let code = field("code")?;
    let redirect = field("redirect_uri")?;
    state.guesses.admit(client_ip)?;
    let verifier = field("code_verifier")?;
    let mac = state.record_macs.key().await.map_err(|error| {
        tracing::warn!(%error, "cannot verify an authorization code");
        &refusals::LEDGER_UNAVAILABLE
    })?;
    let grant = code::redeem(&*state.cache, &mac, code, id, redirect, verifier).await;
    if let Err(RedeemError::InvalidGrant) = grant {
        state.guesses.note_wrong(Guess::Code, client_ip).await;
    }
    let grant = grant?;
    let roster = state.roster.loaded().await?;
    let member = grant.member.as_deref().and_then(|id| roster.member(id));
    let member = member.filter(|member| client.staff_only && client.admits(member));
    if client.staff_only && member.is_none() {
        return Err(Problem::new(&refusals::INVALID_GRANT));
    }
    let now_s = state.clock.now_ms().div_euclid(1000);
    let claims = IdTokenClaims {
        iss: issuer,
        sub: grant.subject,
        aud: grant.client,
        iat: now_s,
        exp: now_s + ID_TOKEN_TTL_S,
        auth_time: grant.at.div_euclid(1000),
        nonce: grant.nonce,
        name: member.map(|member| member.name.clone()),
        role: member.map(|member| match member.role {
            StaffRole::Manager => "manager",
            StaffRole::Staff => "staff",
        }),
        sites: member.map(|member| client.told_sites(member).map(str::to_owned).collect()),
        // The option may have been taken back since the login.
        unionid: grant.unionid.filter(|_| client.unionid),
    };
    let id_token =
        id_token::sign(&state.roster, state.clock.now_ms(), TokenKind::Id, &claims).await?;
    Ok(TokenResponse { id_token, expires_in: ID_TOKEN_TTL_S })
}

async fn jwks(State(state): State<AppState>) -> Result<Response, Problem> {
    let keys = id_token::jwk_set(&state.roster, state.clock.now_ms()).await?;
    let caching = (header::CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
    Ok((StatusCode::OK, [ALLOW_ANY_ORIGIN, caching], Json(keys)).into_response())
}

/// Metadata of the login (RFC 8414).
#[derive(Serialize, JsonSchema)]
struct DiscoveryDocument {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    scopes_supported: [&'static str; 1],
    claims_supported: Vec<&'static str>,
    authorization_response_iss_parameter_supported: bool,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
}

async fn discovery(State(state): State<AppState>) -> Result<Response, Problem> {
    let issuer = state.settings.login.public_url.clone().ok_or(&refusals::LOGIN_UNADDRESSED)?;
    let document = DiscoveryDocument {
        authorization_endpoint: format!("{issuer}/login/authorize"),
        token_endpoint: format!("{issuer}/login/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        issuer,
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: ["authorization_code"],
        subject_types_supported: ["pairwise"],
        id_token_signing_alg_values_supported: ["ES256"],
        token_endpoint_auth_methods_supported: ["none"],
        code_challenge_methods_supported: ["S256"],
        scopes_supported: ["openid"],
        claims_supported: vec![
            "iss",
            "sub",
            "aud",
            "iat",
            "exp",
            "auth_time",
            "nonce",
            "name",
            "role",
            "sites",
            "unionid",
        ],
        authorization_response_iss_parameter_supported: true,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: false,
    };
    let caching = (header::CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
    Ok((StatusCode::OK, [ALLOW_ANY_ORIGIN, caching], Json(document)).into_response())
}
