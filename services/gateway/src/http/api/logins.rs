//! Login of a browser: it gets a code to show and a secret to keep, follows the scan of the code by
//! a phone, and redeems the result with the secret, once.

use super::login_progress::{EnterDigitsRequest, LoginStepEvent, decline_kind, progress_stream};
use super::me::{PrincipalView, begin_session, principal_view};
use super::scan_sessions::{parse_uuid, qr_image, scan_link};
use crate::http::auth::{Principal, PrincipalSession, require_same_origin};
use crate::http::client_ip::{ClientIp, browser_label};
use crate::http::cookies;
use crate::http::digit_entry::{self, DigitEntry};
use crate::http::guesses::Guess;
use crate::http::login_approval::{self, LoginError, LoginOutcome};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemDetails};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use crate::identity::login::first_manager;
use crate::identity::login::settings::{Confirmation, LoginSettings};
use crate::identity::oauth::authorize::{self, AuthorizeError};
use crate::identity::oauth::code;
use crate::scan::qr::QrFormat;
use crate::scan::sessions::SessionError;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use paihao_chassis::entropy;
use paihao_contracts::login::AuthorizationGrant;
use paihao_contracts::session::{
    AuthorizationRequest, LoginRequest, LoginTarget, ScanProgress, ScanPurpose, ScanSession,
    UnionId,
};
use paihao_contracts::staff::SessionHolder;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// Lifetime of the cookie with a browser's secret: longer than any code is valid.
const BROWSER_COOKIE_TTL: Duration = Duration::from_secs(3600);

pub(super) fn routes() -> Routes {
    const NEW_CODE_EACH_TIME: &str = "each time it is one code more, which ends by itself";
    const RATE_LIMIT_REFUSALS: &[&refusals::ProblemKind] =
        &[&refusals::TOO_MANY_REQUESTS, &refusals::CACHE_UNAVAILABLE];
    const SESSION_REFUSALS: &[&refusals::ProblemKind] = &[
        &refusals::MALFORMED_UUID,
        &refusals::UNKNOWN_SESSION,
        &refusals::SESSION_EXPIRED,
        &refusals::WRONG_BROWSER,
    ];
    Routes::new()
        .post(
            "/api/v1/logins",
            open,
            endpoint("begin_login", "Makes a code to log in with, for a page of this server")
                .json_body::<BeginLoginRequest>()
                .without_idempotency_key(NEW_CODE_EACH_TIME)
                .responds_json::<LoginSessionView>(StatusCode::CREATED)
                .refuses(RATE_LIMIT_REFUSALS)
                .refuses(&[&refusals::CODES_RATIONED])
                .refuses(&[&refusals::CROSS_SITE, &refusals::UNKNOWN_ACCOUNT])
                .refuses(&[&refusals::FIRST_CODE_USED, &refusals::LEDGER_UNAVAILABLE])
                .refuses(&[&refusals::UNKNOWN_CLIENT, &refusals::WRONG_REDIRECT])
                .refuses(&[&refusals::WECHAT_UNAVAILABLE, &refusals::CODES_NOT_PERMITTED]),
        )
        .get(
            "/api/v1/logins/{uuid}/qr.svg",
            qr_code,
            endpoint("login_code", "Draws the code, for the browser that it was made for")
                .responds_with("image/svg+xml")
                .refuses(RATE_LIMIT_REFUSALS)
                .refuses(SESSION_REFUSALS)
                .refuses(&[&refusals::WECHAT_UNAVAILABLE]),
        )
        .get(
            "/api/v1/logins/{uuid}/events",
            events,
            endpoint(
                "login_events",
                "Streams the login's progress, to the browser that it was made for",
            )
            .sends_event::<LoginStepEvent>("pending")
            .sends_event::<LoginStepEvent>("scanned")
            .sends_event::<LoginStepEvent>("approved")
            .sends_event::<ProblemDetails>("refused")
            .sends_event::<LoginStepEvent>("expired")
            .refuses(RATE_LIMIT_REFUSALS)
            .refuses(SESSION_REFUSALS),
        )
        .post(
            "/api/v1/logins/{uuid}/confirm",
            confirm,
            endpoint(
                "confirm_login",
                "Enters the digits of the phone that scanned, in the browser that the code was made for",
            )
            .json_body::<EnterDigitsRequest>()
            .without_idempotency_key("right digits entered again change nothing")
            .responds_no_content()
            .refuses(RATE_LIMIT_REFUSALS)
            .refuses(SESSION_REFUSALS)
            .refuses(&[&refusals::CROSS_SITE, &refusals::LOGIN_PENDING, &refusals::WRONG_DIGITS])
            .refuses(&[&refusals::LOGIN_USED, &refusals::LOGIN_REFUSED, &refusals::NOT_STAFF])
            .refuses(&[&refusals::LEDGER_UNAVAILABLE]),
        )
        .post(
            "/api/v1/logins/{uuid}/redeem",
            redeem,
            endpoint(
                "redeem_login",
                "Redeems the login's result, once, in the browser that it was made for",
            )
            .without_idempotency_key("it is good once")
            .responds_json::<RedeemLoginResult>(StatusCode::CREATED)
            .refuses(RATE_LIMIT_REFUSALS)
            .refuses(SESSION_REFUSALS)
            .refuses(&[&refusals::CROSS_SITE, &refusals::LOGIN_PENDING])
            .refuses(&[&refusals::LOGIN_USED, &refusals::LOGIN_REFUSED])
            .refuses(&[&refusals::NOT_STAFF, &refusals::LEDGER_UNAVAILABLE]),
        )
}

/// Target of the login: this system, if nothing is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BeginLoginRequest {
    /// The code of the first manager's link.
    first: Option<String>,
    /// The query of `/login/authorize`, as it came.
    authorize: Option<String>,
}

/// Login that was begun.
#[derive(Serialize, JsonSchema)]
struct LoginSessionView {
    uuid: Uuid,
    /// Name of the site that is logged in to, as the phone shows it.
    target: String,
    /// True if the person confirms: with the digits of the phone, or on it.
    confirm: bool,
    /// True if the site is told the person's unionid.
    unionid: bool,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    events: String,
    /// Address that takes the digits of the phone.
    confirm_digits: String,
    redeem: String,
    /// Address at which a simulated phone scans the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
    /// Address to go to without a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<String>,
}

/// Result of a login.
#[derive(Serialize, JsonSchema)]
struct RedeemLoginResult {
    /// Principal who is logged in, for a login to this system.
    #[serde(skip_serializing_if = "Option::is_none")]
    me: Option<PrincipalView>,
    /// Address that the browser goes to, for a login to another site.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
}

async fn open(
    State(state): State<AppState>,
    client_ip: ClientIp,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let settings = &state.settings.login;
    require_same_origin(&headers, settings.public_url.as_deref())?;
    state.rate_limiter.admit_code(client_ip)?;
    let BeginLoginRequest { first, authorize } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let to = match (first, authorize) {
        (None, None) => LoginTarget::Staff,
        (Some(code), None) => {
            let roster = state.roster.loaded().await?;
            state.guesses.admit(client_ip)?;
            if !first_manager::is_valid(&roster, &code, state.clock.now_ms()) {
                state.guesses.note_wrong(Guess::Code, client_ip).await;
                return Err(Problem::new(&refusals::FIRST_CODE_USED));
            }
            LoginTarget::First
        }
        (None, Some(query)) => LoginTarget::Client(
            authorize::parse_request(settings, &authorize::parse_params(&query)?)
                .map_err(authorize_problem)?,
        ),
        (Some(_), Some(_)) => {
            return Err(refusals::malformed("first, or authorize, or neither"));
        }
    };
    let target = state.login_destination(&to).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let cancel = match &to {
        LoginTarget::Client(request) => Some(access_denied_url(settings, request)),
        _ => None,
    };
    // A browser has several windows and one cookie: all its codes have the same secret.
    let cookie = cookies::read(&headers, settings.browser_cookie());
    let known_secret = cookie.filter(|secret| secret.len() == 32);
    let secret = known_secret.map_or_else(|| entropy::token(24), str::to_owned);
    let request = LoginRequest {
        secret: secret_hash(&secret),
        browser: browser_label(&headers),
        address: client_ip.masked(),
        confirm: target.confirm != Confirmation::None,
        target: to,
    };
    let uuid = entropy::uuid();
    let purpose = ScanPurpose::Login(request);
    let session = state.scan_sessions.open(uuid, &target.account, purpose).await?;
    let path = format!("/api/v1/logins/{uuid}");
    let view = LoginSessionView {
        uuid,
        target: target.name,
        confirm: target.confirm != Confirmation::None,
        unionid: target.unionid,
        expires_at: session.expires_at,
        qr_svg: format!("{path}/qr.svg"),
        events: format!("{path}/events"),
        confirm_digits: format!("{path}/confirm"),
        redeem: format!("{path}/redeem"),
        scan_link: scan_link(&state, &session),
        cancel,
    };
    let browser_cookie = cookies::set_cookie(
        settings.browser_cookie(),
        &secret,
        BROWSER_COOKIE_TTL,
        settings.is_secure(),
    );
    let headers = [(header::SET_COOKIE, browser_cookie)];
    Ok((StatusCode::CREATED, headers, Json(view)).into_response())
}

fn authorize_problem(error: AuthorizeError) -> Problem {
    match error {
        AuthorizeError::Direct(error) => error.into(),
        AuthorizeError::Redirect(_) => refusals::malformed("authorize"),
    }
}

fn access_denied_url(settings: &LoginSettings, request: &AuthorizationRequest) -> String {
    let parameters = [("error", "access_denied")];
    authorize::redirect_url(settings, &request.redirect, request.state.as_deref(), &parameters)
}

/// Finds the login of a uuid, for the browser that it was made for.
async fn find_own_login(
    state: &AppState,
    uuid: &str,
    headers: &HeaderMap,
) -> Result<(Uuid, LoginRequest, ScanSession), Problem> {
    let uuid = parse_uuid(uuid)?;
    let session = state.scan_sessions.find(uuid).await?;
    let ScanPurpose::Login(request) = session.purpose.clone() else {
        return Err(Problem::new(&refusals::UNKNOWN_SESSION));
    };
    let cookie = cookies::read(headers, state.settings.login.browser_cookie());
    let hash = secret_hash(cookie.unwrap_or_default());
    if hash.as_bytes().ct_eq(request.secret.as_bytes()).into() {
        Ok((uuid, request, session))
    } else {
        Err(Problem::new(&refusals::WRONG_BROWSER))
    }
}

async fn qr_code(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let (_, _, session) = find_own_login(&state, &uuid, &headers).await?;
    qr_image(&state, &session, QrFormat::Svg).await
}

async fn events(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
    place: StreamPlace,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(client_ip)?;
    let (uuid, _, _) = find_own_login(&state, &uuid, &headers).await?;
    Ok(progress_stream(&state, uuid, place))
}

async fn confirm(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    require_same_origin(&headers, state.settings.login.public_url.as_deref())?;
    state.rate_limiter.admit_read(client_ip)?;
    let EnterDigitsRequest { digits } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let (uuid, request, _) = find_own_login(&state, &uuid, &headers).await?;
    state.guesses.admit(client_ip)?;
    let outcome = match digit_entry::enter(&state.scan_sessions, uuid, &digits).await? {
        DigitEntry::Right { person, unionid, .. } => {
            login_approval::approve(&state, uuid, &request.target, &person, unionid).await
        }
        DigitEntry::Wrong => {
            state.guesses.note_wrong(Guess::Code, client_ip).await;
            return Err(Problem::new(&refusals::WRONG_DIGITS));
        }
        DigitEntry::NotAsked(session) => {
            return match session.progress {
                ScanProgress::Pending
                | ScanProgress::AwaitingConfirmation { .. }
                | ScanProgress::Ticket(_) => Err(Problem::new(&refusals::LOGIN_PENDING)),
                ScanProgress::Approved { .. } => Ok(StatusCode::NO_CONTENT.into_response()),
                ScanProgress::Declined { reason, .. } => Err(Problem::new(decline_kind(reason))),
                ScanProgress::Redeemed { .. } => Err(Problem::new(&refusals::LOGIN_USED)),
            };
        }
    };
    match outcome {
        Ok(LoginOutcome::LoggedIn) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(LoginOutcome::NotStaff) => Err(Problem::new(&refusals::NOT_STAFF)),
        Ok(_) => Err(Problem::new(&refusals::LOGIN_REFUSED)),
        Err(LoginError::Expired) => Err(Problem::new(&refusals::SESSION_EXPIRED)),
        Err(LoginError::Unavailable) => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
    }
}

async fn redeem(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    client_ip: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let settings = &state.settings.login;
    require_same_origin(&headers, settings.public_url.as_deref())?;
    state.rate_limiter.admit_read(client_ip)?;
    let (uuid, request, session) = find_own_login(&state, &uuid, &headers).await?;
    let (person, member, at, unionid) = match session.progress {
        ScanProgress::Approved { person, member, at, unionid } => (person, member, at, unionid),
        ScanProgress::Pending
        | ScanProgress::AwaitingConfirmation { .. }
        | ScanProgress::Ticket(_) => {
            return Err(Problem::new(&refusals::LOGIN_PENDING));
        }
        ScanProgress::Declined { reason, .. } => return Err(Problem::new(decline_kind(reason))),
        ScanProgress::Redeemed { .. } => return Err(Problem::new(&refusals::LOGIN_USED)),
    };
    let mut is_first = false;
    let mark_redeemed = |session: &mut ScanSession| {
        is_first = matches!(session.progress, ScanProgress::Approved { .. });
        is_first.then(|| ScanProgress::Redeemed { person: person.clone() })
    };
    state.scan_sessions.advance(uuid, mark_redeemed).await?;
    if !is_first {
        return Err(Problem::new(&refusals::LOGIN_USED));
    }
    match request.target {
        LoginTarget::Client(authorization) => {
            let approval = Approval { person: &person, member, at, unionid };
            let redirect = grant_code(&state, authorization, approval).await?;
            let result = RedeemLoginResult { me: None, redirect: Some(redirect) };
            Ok((StatusCode::CREATED, Json(result)).into_response())
        }
        LoginTarget::Staff | LoginTarget::First => {
            let id = member.ok_or(&refusals::NOT_STAFF)?;
            let holder = SessionHolder::Member { id };
            let roster = state.roster.loaded().await?;
            let principal = Principal::from_holder(&state, &roster, &holder);
            let principal = principal.ok_or(&refusals::NOT_STAFF)?;
            let headers =
                begin_session(&state, holder.clone(), request.browser, request.address).await?;
            tracing::info!(staff = &*principal.name, "logged in by scanning");
            let session = PrincipalSession { id: String::new(), holder };
            let me = Some(principal_view(&state, &principal.with_session(session)));
            let result = RedeemLoginResult { me, redirect: None };
            Ok((StatusCode::CREATED, headers, Json(result)).into_response())
        }
    }
}

/// Approval of a person on the phone.
struct Approval<'a> {
    /// Hash of the person.
    person: &'a str,
    /// Id of the member of staff, if the person is one.
    member: Option<String>,
    /// Unix milliseconds.
    at: i64,
    unionid: Option<UnionId>,
}

/// Issues an authorization code to another site. Returns the address to redirect the browser to.
async fn grant_code(
    state: &AppState,
    request: AuthorizationRequest,
    approval: Approval<'_>,
) -> Result<String, Problem> {
    let Approval { person, member, at, unionid } = approval;
    let roster = state.roster.loaded().await?;
    let subject = roster.tag("subject", &[&request.client, person]);
    let grant = AuthorizationGrant {
        v: 1,
        subject: subject.ok_or(&refusals::LEDGER_UNAVAILABLE)?,
        client: request.client,
        redirect: request.redirect.clone(),
        challenge: request.challenge,
        nonce: request.nonce,
        member,
        at,
        unionid,
    };
    let mac = state.record_macs.key().await.map_err(SessionError::from)?;
    let code = code::issue(&*state.cache, &mac, &grant).await.map_err(SessionError::from)?;
    tracing::info!(client = grant.client, "login to another site");
    let state_parameter = request.state.as_deref();
    let parameters = [("code", &*code)];
    let settings = &state.settings.login;
    Ok(authorize::redirect_url(settings, &request.redirect, state_parameter, &parameters))
}

fn secret_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}
