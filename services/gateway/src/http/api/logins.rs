//! Login of a browser: it gets a code to show and a secret to keep, follows the scan
//! of the code by a phone, and redeems the result with the secret, once.

use super::me::{PrincipalView, principal_view};
use super::scan_sessions::{qr_image, scan_link};
use crate::http::auth::{Principal, PrincipalSession, require_same_origin};
use crate::http::client_ip::{self, ClientIp};
use crate::http::cookies;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem, ProblemDetails};
use crate::http::state::AppState;
use crate::identity::login;
use crate::identity::oauth::authorize::{self, AuthorizeError};
use crate::identity::oauth::code;
use crate::scan::qr::QrFormat;
use crate::scan::sessions::SessionError;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use paihao_chassis::entropy;
use paihao_contracts::login::AuthorizationGrant;
use paihao_contracts::session::{
    AuthorizationRequest, DeclineReason, LoginRequest, LoginTarget, ScanProgress, ScanPurpose,
    ScanSession,
};
use paihao_contracts::staff::SessionHolder;
use paihao_http_api::body;
use paihao_http_api::sse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Bytes of a request.
const MAX_BODY_BYTES: usize = 4096;

/// Lifetime of the cookie with a browser's secret: longer than any code is valid.
const BROWSER_COOKIE_TTL: Duration = Duration::from_secs(3600);

/// A browser that waits hears of a change so soon. What changes is in the cache alone, and few
/// wait.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

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
                .refuses(&[&refusals::CROSS_SITE, &refusals::UNKNOWN_ACCOUNT])
                .refuses(&[&refusals::FIRST_CODE_USED, &refusals::LEDGER_UNAVAILABLE])
                .refuses(&[&refusals::UNKNOWN_CLIENT, &refusals::WRONG_REDIRECT])
                .refuses(&[&refusals::WECHAT_UNAVAILABLE]),
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

/// Nothing besides.
#[derive(Serialize, JsonSchema)]
pub(super) struct LoginStepEvent {}

/// Site that is logged in to: this system, if left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BeginLoginRequest {
    /// The code that the first start has printed.
    first: Option<String>,
    /// The query of `/login/authorize`, as it came.
    authorize: Option<String>,
}

/// A login that begins.
#[derive(Serialize, JsonSchema)]
struct LoginSessionView {
    uuid: Uuid,
    /// Name of the site that is logged in to, as the phone shows it.
    target: String,
    /// True if the phone asks for confirmation.
    confirm: bool,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    events: String,
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
    caller: ClientIp,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let settings = &state.settings.login;
    require_same_origin(&headers, settings.public_url.as_deref())?;
    state.rate_limiter.admit_code(caller)?;
    let BeginLoginRequest { first, authorize } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let to = match (first, authorize) {
        (None, None) => LoginTarget::Staff,
        (Some(code), None) => {
            let known =
                login::first_manager_code(&*state.roster.loaded().await?).unwrap_or_default();
            let same = !known.is_empty() && bool::from(known.as_bytes().ct_eq(code.as_bytes()));
            if !same {
                return Err(Problem::new(&refusals::FIRST_CODE_USED));
            }
            LoginTarget::First
        }
        (None, Some(query)) => LoginTarget::Client(
            authorize::parse_request(settings, &authorize::parse_params(&query)?)
                .map_err(authorize_problem)?,
        ),
        (Some(_), Some(_)) => {
            let detail = "first, or authorize, or neither";
            return Err(Problem::new(&refusals::MALFORMED_REQUEST).with_detail(detail));
        }
    };
    let target = login::login_destination(settings, &to).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let cancel = match &to {
        LoginTarget::Client(wish) => Some(access_denied_url(wish)),
        _ => None,
    };
    // The same secret for all its codes: a browser has windows, and one cookie.
    let kept = cookies::read(&headers, settings.browser_cookie()).filter(|kept| kept.len() == 32);
    let secret = kept.map_or_else(|| entropy::token(24), str::to_owned);
    let wish = LoginRequest {
        secret: secret_hash(&secret),
        browser: client_ip::browser_label(&headers),
        address: caller.masked(),
        confirm: target.confirm,
        target: to,
    };
    let uuid = entropy::uuid();
    let session = state.scan_sessions.open(uuid, &target.account, ScanPurpose::Login(wish)).await?;
    let at = format!("/api/v1/logins/{uuid}");
    let opened = LoginSessionView {
        uuid,
        target: target.name,
        confirm: target.confirm,
        expires_at: session.expires_at,
        qr_svg: format!("{at}/qr.svg"),
        events: format!("{at}/events"),
        redeem: format!("{at}/redeem"),
        scan_link: scan_link(&state, &session),
        cancel,
    };
    let cookie = cookies::set_cookie(
        settings.browser_cookie(),
        &secret,
        BROWSER_COOKIE_TTL,
        settings.is_secure(),
    );
    let headers = [(header::SET_COOKIE, cookie)];
    Ok((StatusCode::CREATED, headers, Json(opened)).into_response())
}

fn authorize_problem(misled: AuthorizeError) -> Problem {
    match misled {
        AuthorizeError::Direct(error) => error.into(),
        AuthorizeError::Redirect(_) => {
            Problem::new(&refusals::MALFORMED_REQUEST).with_detail("authorize")
        }
    }
}

fn access_denied_url(wish: &AuthorizationRequest) -> String {
    authorize::redirect_url(&wish.redirect, wish.state.as_deref(), &[("error", "access_denied")])
}

/// The login of a uuid, if this is the browser that it was made for.
async fn find_own_login(
    state: &AppState,
    uuid: &str,
    headers: &HeaderMap,
) -> Result<(Uuid, LoginRequest, ScanSession), Problem> {
    let uuid = Uuid::try_parse(uuid).map_err(|_| &refusals::MALFORMED_UUID)?;
    let session = state.scan_sessions.find(uuid).await?;
    let ScanPurpose::Login(wish) = session.purpose.clone() else {
        return Err(Problem::new(&refusals::UNKNOWN_SESSION));
    };
    let cookie = cookies::read(headers, state.settings.login.browser_cookie());
    let given = secret_hash(cookie.unwrap_or_default());
    if given.as_bytes().ct_eq(wish.secret.as_bytes()).into() {
        Ok((uuid, wish, session))
    } else {
        Err(Problem::new(&refusals::WRONG_BROWSER))
    }
}

async fn qr_code(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    caller: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(caller)?;
    let (_, _, session) = find_own_login(&state, &uuid, &headers).await?;
    qr_image(&state, &session, QrFormat::Svg).await
}

async fn events(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    caller: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    state.rate_limiter.admit_read(caller)?;
    let (uuid, _, _) = find_own_login(&state, &uuid, &headers).await?;
    Ok(progress_stream(&state, uuid))
}

/// The steps of a session that is in the cache alone, each as it comes.
pub(super) fn progress_stream(state: &AppState, uuid: Uuid) -> Response {
    let stop = state.stop.clone();
    let begin = (state.clone(), None::<ScanProgress>, false);
    let steps = stream::unfold(begin, move |(state, before, over)| async move {
        if over {
            return None;
        }
        loop {
            let (progress, event) = match state.scan_sessions.find(uuid).await {
                Ok(session) if Some(&session.progress) != before.as_ref() => {
                    let event = progress_event(&session.progress);
                    (session.progress, event)
                }
                Err(SessionError::Expired | SessionError::Unknown) => {
                    return Some((named_event("expired"), (state, before, true)));
                }
                // It stands as it stood, or the cache is away for a moment.
                _ => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                    continue;
                }
            };
            let over = !matches!(
                progress,
                ScanProgress::Pending | ScanProgress::AwaitingConfirmation { .. }
            );
            return Some((event, (state, Some(progress), over)));
        }
    });
    sse::event_stream(Box::pin(steps), &stop).into_response()
}

fn progress_event(progress: &ScanProgress) -> Event {
    match progress {
        ScanProgress::Pending | ScanProgress::Ticket(_) => named_event("pending"),
        ScanProgress::AwaitingConfirmation { .. } => named_event("scanned"),
        ScanProgress::Approved { .. } => named_event("approved"),
        ScanProgress::Declined { reason, .. } => {
            refused_event(&Problem::new(decline_kind(*reason)))
        }
        ScanProgress::Redeemed { .. } => refused_event(&Problem::new(&refusals::LOGIN_USED)),
    }
}

fn decline_kind(why: DeclineReason) -> &'static refusals::ProblemKind {
    match why {
        DeclineReason::NotStaff | DeclineReason::Already => &refusals::NOT_STAFF,
        DeclineReason::ByPerson => &refusals::LOGIN_REFUSED,
    }
}

fn named_event(name: &str) -> Event {
    Event::default().event(name).json_data(LoginStepEvent {}).expect("string keys only")
}

fn refused_event(problem: &Problem) -> Event {
    Event::default().event("refused").json_data(problem.body()).expect("string keys only")
}

async fn redeem(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    caller: ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let settings = &state.settings.login;
    require_same_origin(&headers, settings.public_url.as_deref())?;
    state.rate_limiter.admit_read(caller)?;
    let (uuid, wish, session) = find_own_login(&state, &uuid, &headers).await?;
    let (person, member, at) = match session.progress {
        ScanProgress::Approved { person, member, at } => (person, member, at),
        ScanProgress::Pending
        | ScanProgress::AwaitingConfirmation { .. }
        | ScanProgress::Ticket(_) => {
            return Err(Problem::new(&refusals::LOGIN_PENDING));
        }
        ScanProgress::Declined { reason, .. } => return Err(Problem::new(decline_kind(reason))),
        ScanProgress::Redeemed { .. } => return Err(Problem::new(&refusals::LOGIN_USED)),
    };
    let mut first = false;
    let used = |session: &mut ScanSession| {
        first = matches!(session.progress, ScanProgress::Approved { .. });
        first.then(|| ScanProgress::Redeemed { person: person.clone() })
    };
    state.scan_sessions.advance(uuid, used).await?;
    if !first {
        return Err(Problem::new(&refusals::LOGIN_USED));
    }
    match wish.target {
        LoginTarget::Client(asked) => {
            let roster = state.roster.loaded().await?;
            let subject = roster.tag("subject", &[&asked.client, &person]);
            let grant = AuthorizationGrant {
                v: 1,
                subject: subject.ok_or(&refusals::LEDGER_UNAVAILABLE)?,
                client: asked.client,
                redirect: asked.redirect.clone(),
                challenge: asked.challenge,
                nonce: asked.nonce,
                member,
                at,
            };
            let code = code::issue(&*state.cache, &grant).await.map_err(SessionError::from)?;
            tracing::info!(client = grant.client, "login to another site");
            let redirect = authorize::redirect_url(
                &asked.redirect,
                asked.state.as_deref(),
                &[("code", &code)],
            );
            let redeemed = RedeemLoginResult { me: None, redirect: Some(redirect) };
            Ok((StatusCode::CREATED, Json(redeemed)).into_response())
        }
        LoginTarget::Staff | LoginTarget::First => {
            let id = member.ok_or(&refusals::NOT_STAFF)?;
            let holder = SessionHolder::Member { id };
            let principal = Principal::from_holder(&state, &*state.roster.loaded().await?, &holder);
            let principal = principal.ok_or(&refusals::NOT_STAFF)?;
            let (browser, address) = (wish.browser, wish.address);
            let begun =
                state.browser_sessions.create(&state.roster, holder.clone(), browser, address);
            let cookie = begun.await?;
            let (name, lasts) =
                (settings.session_cookie(), state.browser_sessions.cookie_max_age());
            let cookie = cookies::set_cookie(name, &cookie, lasts, settings.is_secure());
            tracing::info!(staff = &*principal.name, "logged in by scanning");
            let me = Some(principal_view(
                &state,
                &principal.with_session(PrincipalSession { id: String::new(), holder }),
            ));
            let redeemed = RedeemLoginResult { me, redirect: None };
            let headers = [(header::SET_COOKIE, cookie)];
            Ok((StatusCode::CREATED, headers, Json(redeemed)).into_response())
        }
    }
}

fn secret_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}
