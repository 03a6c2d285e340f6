//! What WeChat says: server verification, and the events that become tickets.
//!
//! A scan is answered in the same response, once the number is durable. Everything this system
//! does not act on is answered `success`, so that WeChat does not say it again.

use crate::Door;
use crate::book::AccountBook;
use crate::lines::Declined;
use crate::refusals::{self, Problem};
use crate::scene::Scene;
use crate::sessions::SessionError;
use crate::wording;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use paihao_contracts::session::{Purpose, ScanSession};
use paihao_domain::{Act, Command, CommandId, Outcome, Person, QueueId, Via};
use paihao_wechat::callback::{self, CallbackQuery, EventName, Kind, Message};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The callback address of every account.
pub(crate) fn routes() -> Router<Door> {
    Router::new().route("/wechat/{account}", get(verify).post(receive))
}

/// `GET /wechat/{account}`: WeChat asks whether this server knows the token.
async fn verify(
    State(door): State<Door>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<String, Problem> {
    let (_, query) = signed(&door, &account, query)?;
    query.echostr.ok_or_else(|| Problem::new(&refusals::BAD_CALLBACK_QUERY).detail("no echostr"))
}

/// `POST /wechat/{account}`: WeChat tells what a person did.
async fn receive(
    State(door): State<Door>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let (_, query) = signed(&door, &account, query)?;
    let window = door.settings.callback_window;
    if !callback::within_window(&query.timestamp, door.clock.now_ms(), window) {
        return Err(Problem::new(&refusals::STALE_CALLBACK));
    }
    if query.encrypt_type.as_deref().is_some_and(|kind| kind != "raw") {
        return Err(Problem::new(&refusals::ENCRYPTED_CALLBACK));
    }
    let limit = door.settings.callback_body_limit;
    let body = to_bytes(body, limit).await.map_err(|_| {
        Problem::new(&refusals::BODY_TOO_LARGE).detail(format!("more than {limit} bytes"))
    })?;
    let message = callback::parse(&body, limit)
        .map_err(|error| Problem::new(&refusals::MALFORMED_XML).detail(error.to_string()))?;
    Ok(hear(&door, &account, &message).await)
}

/// The account and the query, if the query is signed with the account's token.
fn signed<'a>(
    door: &'a Door,
    account: &str,
    query: Option<String>,
) -> Result<(&'a AccountBook, CallbackQuery), Problem> {
    let account = door.book.accounts.get(account).ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let query = CallbackQuery::parse(query.as_deref().unwrap_or_default())
        .map_err(|error| Problem::new(&refusals::BAD_CALLBACK_QUERY).detail(error.to_string()))?;
    let token = &account.callback_token;
    match callback::verify(token, &query.timestamp, &query.nonce, &query.signature) {
        true => Ok((account, query)),
        false => Err(Problem::new(&refusals::WRONG_SIGNATURE)),
    }
}

/// What a scan asks for.
struct Wish {
    site: String,
    queue: String,
    session: Option<(Uuid, ScanSession)>,
}

async fn hear(door: &Door, account: &str, message: &Message) -> Response {
    let scene = match &message.kind {
        Kind::Event {
            name:
                EventName::Scan { scene: Some(scene) } | EventName::Subscribe { scene: Some(scene) },
            ..
        } => scene,
        _ => return success(),
    };
    let heard = match wish(door, account, scene).await {
        Ok(wish) => take(door, account, message, wish).await,
        Err(reply) => Heard { reply, at_s: message.create_time, what: "no_wish" },
    };
    metrics::counter!("paihao_gateway_scans_total", "outcome" => heard.what).increment(1);
    let (person, us) = (&message.from_user, &message.to_user);
    let reply = callback::text_reply(person, us, heard.at_s, &heard.reply);
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], reply).into_response()
}

/// What a scanned scene asks for, or what to say if it asks for nothing.
async fn wish(door: &Door, account: &str, scene: &str) -> Result<Wish, String> {
    let wish = match Scene::read(scene).ok_or_else(wording::dead_code)? {
        Scene::Door { site, queue } => Wish { site, queue, session: None },
        Scene::Session(scene) => match door.sessions.by_scene(&scene).await {
            Ok((uuid, session)) => {
                let Purpose::Ticket { site, queue } = session.purpose.clone();
                Wish { site, queue, session: Some((uuid, session)) }
            }
            Err(SessionError::Cache(error)) => {
                tracing::warn!(%error, "a scan could not be matched to its session");
                return Err(wording::not_now());
            }
            Err(_) => return Err(wording::dead_code()),
        },
    };
    // A code speaks for the sites of its own account only.
    let site = door.lines.book(&wish.site).filter(|book| &*book.facts.account == account);
    site.map(|_| wish).ok_or_else(wording::dead_code)
}

/// An answer to a scan.
struct Heard {
    reply: String,
    /// Unix seconds that the reply is dated with: those of the decision, so that a repeat gets the
    /// same reply to the byte.
    at_s: i64,
    what: &'static str,
}

async fn take(door: &Door, account: &str, message: &Message, wish: Wish) -> Heard {
    let Wish { site, queue, session } = wish;
    let via = session.as_ref().map(|(uuid, _)| Via::new(&uuid.to_string()));
    let person = Some(Person::new(message.from_user.expose()));
    let act = Act::Take { queue: QueueId::new(&queue), person, via };
    let command = Command { id: command_id(account, message), fingerprint: 0, act };
    let answer = door.lines.submit(&site, command).await;
    let book = door.lines.book(&site).expect("the wish was checked against the book");
    match answer {
        Ok(answered) => {
            if let Some((uuid, session)) = session {
                door.sessions.remember(uuid, session, &answered.outcome).await;
            }
            let new = matches!(answered.outcome, Outcome::Holding { new: true, .. });
            Heard {
                reply: wording::holding(book, &answered.outcome),
                at_s: answered.at.0.div_euclid(1000),
                what: if new { "taken" } else { "shown" },
            }
        }
        Err(Declined::Refused(refusal)) => Heard {
            reply: wording::refused(book, &refusal),
            at_s: message.create_time,
            what: "refused",
        },
        Err(declined) => {
            tracing::warn!(site, %declined, "a scan got no number");
            Heard { reply: wording::not_now(), at_s: message.create_time, what: "not_now" }
        }
    }
}

/// The same for every delivery of one event, whichever replica it reaches.
fn command_id(account: &str, message: &Message) -> CommandId {
    let mut hash = Sha256::new();
    hash.update(b"callback\0");
    hash.update(account.as_bytes());
    hash.update([0]);
    hash.update(message.identity());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    CommandId(id)
}

fn success() -> Response {
    "success".into_response()
}
