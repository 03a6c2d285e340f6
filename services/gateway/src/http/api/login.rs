//! A browser logs in: it is given a code to show and a secret to keep, hears how the code is taken
//! on a phone, and with the secret takes what that led to, once.

use super::me::{Me, me};
use super::sessions::{picture, scan_link};
use crate::http::asker::{Asker, Session, from_own_page};
use crate::http::body;
use crate::http::callers::{self, Caller};
use crate::http::cookies;
use crate::http::live;
use crate::http::openapi::{OPEN, Routes, op};
use crate::http::refusals::{self, Problem, ProblemSeen};
use crate::http::state::Door;
use crate::identity::login;
use crate::identity::oauth::client::{self, Misled};
use crate::identity::oauth::grants;
use crate::scan::qr::Picture;
use crate::scan::sessions::SessionError;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use paihao_chassis::entropy;
use paihao_contracts::login::Grant;
use paihao_contracts::session::{
    ClientWish, Declined, LoginTo, LoginWish, Progress, Purpose, ScanSession,
};
use paihao_contracts::staff::SessionHolder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Bytes of a request.
const BODY_LIMIT: usize = 4096;

/// How long a browser keeps its secret: longer than any code works.
const KEPT: Duration = Duration::from_secs(3600);

/// A browser that waits hears of a change so soon. What changes is in the cache alone, and few wait.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(super) fn routes() -> Routes {
    const OWN: &str = "each time it is one code more, which ends by itself";
    const LIMITED: &[&refusals::Kind] =
        &[&refusals::TOO_MANY_REQUESTS, &refusals::CACHE_UNAVAILABLE];
    const WATCHED: &[&refusals::Kind] = &[
        &refusals::MALFORMED_UUID,
        &refusals::UNKNOWN_SESSION,
        &refusals::SESSION_EXPIRED,
        &refusals::WRONG_BROWSER,
    ];
    Routes::new()
        .post(
            "/api/v1/logins",
            open,
            op("begin_login", "A code to log in with, for the page of this server", OPEN)
                .takes::<LoginWanted>()
                .repeatable(OWN)
                .answers_as::<LoginOpened>(StatusCode::CREATED)
                .refuses(LIMITED)
                .refuses(&[&refusals::CROSS_SITE, &refusals::UNKNOWN_ACCOUNT])
                .refuses(&[&refusals::FIRST_CODE_USED, &refusals::LEDGER_UNAVAILABLE])
                .refuses(&[&refusals::UNKNOWN_CLIENT, &refusals::WRONG_REDIRECT])
                .refuses(&[&refusals::WECHAT_UNAVAILABLE]),
        )
        .get(
            "/api/v1/logins/{uuid}/qr.svg",
            drawn,
            op("login_code", "The code, to the browser that it was made for", OPEN)
                .answers_with("image/svg+xml")
                .refuses(LIMITED)
                .refuses(WATCHED)
                .refuses(&[&refusals::WECHAT_UNAVAILABLE]),
        )
        .get(
            "/api/v1/logins/{uuid}/events",
            events,
            op("login_events", "How the login goes on, to the browser that it was made for", OPEN)
                .tells::<Nothing>("pending")
                .tells::<Nothing>("scanned")
                .tells::<Nothing>("approved")
                .tells::<ProblemSeen>("refused")
                .tells::<Nothing>("expired")
                .refuses(LIMITED)
                .refuses(WATCHED),
        )
        .post(
            "/api/v1/logins/{uuid}/redeem",
            redeem,
            op("redeem_login", "The browser takes what the login led to, once", OPEN)
                .repeatable("it is good once")
                .answers_as::<Redeemed>(StatusCode::CREATED)
                .refuses(LIMITED)
                .refuses(WATCHED)
                .refuses(&[&refusals::CROSS_SITE, &refusals::LOGIN_PENDING])
                .refuses(&[&refusals::LOGIN_USED, &refusals::LOGIN_REFUSED])
                .refuses(&[&refusals::NOT_STAFF, &refusals::LEDGER_UNAVAILABLE]),
        )
}

/// Nothing besides.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoginStep")]
pub(super) struct Nothing {}

/// What is logged in to: this system, if nothing is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoginWanted {
    /// The code that the first start has printed.
    first: Option<String>,
    /// The query of `/login/authorize`, as it came.
    authorize: Option<String>,
}

/// A login that begins.
#[derive(Serialize, JsonSchema)]
struct LoginOpened {
    uuid: Uuid,
    /// What is logged in to, as the phone will say it.
    target: String,
    /// Whether the phone asks before.
    confirm: bool,
    /// Unix milliseconds from which on the code no longer works.
    expires_at: i64,
    qr_svg: String,
    events: String,
    redeem: String,
    /// Where a simulated phone can scan the code; in a demo only.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_link: Option<String>,
    /// Where to go without logging in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<String>,
}

/// What a login led to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoginRedeemed")]
struct Redeemed {
    /// Who is logged in, if it was to this system.
    #[serde(skip_serializing_if = "Option::is_none")]
    me: Option<Me>,
    /// Where the browser goes, if it was to another site.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
}

async fn open(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let settings = &door.settings.login;
    from_own_page(&headers, settings.public.as_deref())?;
    door.limits.code(caller)?;
    let LoginWanted { first, authorize } = body::json(body, BODY_LIMIT).await?;
    let to = match (first, authorize) {
        (None, None) => LoginTo::Staff,
        (Some(code), None) => {
            let known = login::first_code(&*door.staff.known().await?).unwrap_or_default();
            let same = !known.is_empty() && bool::from(known.as_bytes().ct_eq(code.as_bytes()));
            if !same {
                return Err(Problem::new(&refusals::FIRST_CODE_USED));
            }
            LoginTo::First
        }
        (None, Some(query)) => {
            LoginTo::Client(client::wish(settings, &client::fields(&query)?).map_err(misled)?)
        }
        (Some(_), Some(_)) => {
            let detail = "first, or authorize, or neither";
            return Err(Problem::new(&refusals::MALFORMED_REQUEST).detail(detail));
        }
    };
    let target = login::target(settings, &to).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let cancel = match &to {
        LoginTo::Client(wish) => Some(denied(wish)),
        _ => None,
    };
    // The same secret for all its codes: a browser has windows, and one cookie.
    let kept = cookies::read(&headers, settings.browser_cookie()).filter(|kept| kept.len() == 32);
    let secret = kept.map_or_else(|| entropy::token(24), str::to_owned);
    let wish = LoginWish {
        secret: hash(&secret),
        browser: callers::browser(&headers),
        address: caller.roughly(),
        confirm: target.confirm,
        to,
    };
    let uuid = entropy::uuid();
    let session = door.sessions.open(uuid, &target.account, Purpose::Login(wish)).await?;
    let at = format!("/api/v1/logins/{uuid}");
    let opened = LoginOpened {
        uuid,
        target: target.name,
        confirm: target.confirm,
        expires_at: session.expires_at,
        qr_svg: format!("{at}/qr.svg"),
        events: format!("{at}/events"),
        redeem: format!("{at}/redeem"),
        scan_link: scan_link(&door, &session),
        cancel,
    };
    let cookie = cookies::keep(settings.browser_cookie(), &secret, KEPT, settings.is_secure());
    let headers = [(header::SET_COOKIE, cookie)];
    Ok((StatusCode::CREATED, headers, Json(opened)).into_response())
}

fn misled(misled: Misled) -> Problem {
    match misled {
        Misled::Here(problem) => problem,
        Misled::Back(_) => Problem::new(&refusals::MALFORMED_REQUEST).detail("authorize"),
    }
}

fn denied(wish: &ClientWish) -> String {
    client::back(&wish.redirect, wish.state.as_deref(), &[("error", "access_denied")])
}

/// The login of a uuid, if this is the browser that it was made for.
async fn own(
    door: &Door,
    uuid: &str,
    headers: &HeaderMap,
) -> Result<(Uuid, LoginWish, ScanSession), Problem> {
    let uuid = Uuid::try_parse(uuid).map_err(|_| &refusals::MALFORMED_UUID)?;
    let session = door.sessions.find(uuid).await?;
    let Purpose::Login(wish) = session.purpose.clone() else {
        return Err(Problem::new(&refusals::UNKNOWN_SESSION));
    };
    let cookie = cookies::read(headers, door.settings.login.browser_cookie());
    let given = hash(cookie.unwrap_or_default());
    match given.as_bytes().ct_eq(wish.secret.as_bytes()).into() {
        true => Ok((uuid, wish, session)),
        false => Err(Problem::new(&refusals::WRONG_BROWSER)),
    }
}

async fn drawn(
    State(door): State<Door>,
    Path(uuid): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    door.limits.look(caller)?;
    let (_, _, session) = own(&door, &uuid, &headers).await?;
    picture(&door, &session, Picture::Svg).await
}

async fn events(
    State(door): State<Door>,
    Path(uuid): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    door.limits.look(caller)?;
    let (uuid, _, _) = own(&door, &uuid, &headers).await?;
    Ok(told(&door, uuid))
}

/// The steps of a session that is in the cache alone, each as it comes.
pub(super) fn told(door: &Door, uuid: Uuid) -> Response {
    let stop = door.stop.clone();
    let begin = (door.clone(), None::<Progress>, false);
    let steps = stream::unfold(begin, move |(door, before, over)| async move {
        if over {
            return None;
        }
        loop {
            let (progress, event) = match door.sessions.find(uuid).await {
                Ok(session) if Some(&session.progress) != before.as_ref() => {
                    let event = step(&session.progress);
                    (session.progress, event)
                }
                Err(SessionError::Expired | SessionError::Unknown) => {
                    return Some((said("expired"), (door, before, true)));
                }
                // It stands as it stood, or the cache is away for a moment.
                _ => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
            };
            let over = !matches!(progress, Progress::Pending | Progress::Asked { .. });
            return Some((event, (door, Some(progress), over)));
        }
    });
    live::sse(Box::pin(steps), &stop).into_response()
}

fn step(progress: &Progress) -> Event {
    match progress {
        Progress::Pending | Progress::Ticket(_) => said("pending"),
        Progress::Asked { .. } => said("scanned"),
        Progress::Approved { .. } => said("approved"),
        Progress::Declined { why, .. } => refused(&Problem::new(why_not(*why))),
        Progress::Redeemed { .. } => refused(&Problem::new(&refusals::LOGIN_USED)),
    }
}

fn why_not(why: Declined) -> &'static refusals::Kind {
    match why {
        Declined::NotStaff | Declined::Already => &refusals::NOT_STAFF,
        Declined::ByPerson => &refusals::LOGIN_REFUSED,
    }
}

fn said(name: &str) -> Event {
    Event::default().event(name).json_data(Nothing {}).expect("string keys only")
}

fn refused(problem: &Problem) -> Event {
    Event::default().event("refused").json_data(problem.body()).expect("string keys only")
}

async fn redeem(
    State(door): State<Door>,
    Path(uuid): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let settings = &door.settings.login;
    from_own_page(&headers, settings.public.as_deref())?;
    door.limits.look(caller)?;
    let (uuid, wish, session) = own(&door, &uuid, &headers).await?;
    let (person, member, at) = match session.progress {
        Progress::Approved { person, member, at } => (person, member, at),
        Progress::Pending | Progress::Asked { .. } | Progress::Ticket(_) => {
            return Err(Problem::new(&refusals::LOGIN_PENDING));
        }
        Progress::Declined { why, .. } => return Err(Problem::new(why_not(why))),
        Progress::Redeemed { .. } => return Err(Problem::new(&refusals::LOGIN_USED)),
    };
    let mut first = false;
    let used = |session: &mut ScanSession| {
        first = matches!(session.progress, Progress::Approved { .. });
        first.then(|| Progress::Redeemed { person: person.clone() })
    };
    door.sessions.advance(uuid, used).await?;
    if !first {
        return Err(Problem::new(&refusals::LOGIN_USED));
    }
    match wish.to {
        LoginTo::Client(asked) => {
            let roster = door.staff.known().await?;
            let subject = roster.tag("subject", &[&asked.client, &person]);
            let grant = Grant {
                v: 1,
                subject: subject.ok_or(&refusals::LEDGER_UNAVAILABLE)?,
                client: asked.client,
                redirect: asked.redirect.clone(),
                challenge: asked.challenge,
                nonce: asked.nonce,
                member,
                at,
            };
            let code = grants::give(&*door.cache, &grant).await.map_err(SessionError::from)?;
            tracing::info!(client = grant.client, "somebody logged in to another site");
            let redirect =
                client::back(&asked.redirect, asked.state.as_deref(), &[("code", &code)]);
            let redeemed = Redeemed { me: None, redirect: Some(redirect) };
            Ok((StatusCode::CREATED, Json(redeemed)).into_response())
        }
        LoginTo::Staff | LoginTo::First => {
            let id = member.ok_or(&refusals::NOT_STAFF)?;
            let holder = SessionHolder::Member { id };
            let asker = Asker::of_holder(&door, &*door.staff.known().await?, &holder);
            let asker = asker.ok_or(&refusals::NOT_STAFF)?;
            let (browser, address) = (wish.browser, wish.address);
            let begun = door.logins.begin(&door.staff, holder.clone(), browser, address);
            let cookie = begun.await?;
            let (name, lasts) = (settings.session_cookie(), door.logins.longest());
            let cookie = cookies::keep(name, &cookie, lasts, settings.is_secure());
            tracing::info!(staff = &*asker.name, "logged in by scanning");
            let me = Some(me(&door, &asker.within(Session { id: String::new(), holder })));
            let redeemed = Redeemed { me, redirect: None };
            let headers = [(header::SET_COOKIE, cookie)];
            Ok((StatusCode::CREATED, headers, Json(redeemed)).into_response())
        }
    }
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}
