//! Staff actions on counters, tickets and queues.
//!
//! `Idempotency-Key` names a wish: repeated within 15 minutes, to any replica, it is answered like
//! the first time and done once.

mod counters;
mod queues;
mod tickets;

mod answer;
mod declined;

use crate::http::auth::Principal;
use crate::http::openapi::{Access, IdempotencyKeyExt, Operation, Role, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link;
use paihao_http_api::body;
pub(in crate::http::api) use tickets::ticket_by_number;

use answer::{StaffActionResult, action_result};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use futures::FutureExt;
use futures::future::BoxFuture;
use paihao_chassis::entropy;
use paihao_domain::{Act, Command, CommandId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Bytes a staff request may have.
const MAX_BODY_BYTES: usize = 4096;

pub(super) fn routes() -> Routes {
    counters::routes().merge(tickets::routes()).merge(queues::routes())
}

/// Operation of a staff action, with what all of them have in common.
fn action_operation(id: &'static str, summary: &'static str, who: Access) -> Operation {
    endpoint(id, summary, who)
        .idempotency_key()
        .refuses(&[&refusals::LEDGER_UNAVAILABLE, &refusals::NEWER_LEDGER])
}

/// Access of staff at some counters and of managers.
const STAFF_AND_MANAGERS: Access = Access::Site(&[Role::Staff, Role::Manager]);

/// A handler of what is done with something of a site: a counter, a ticket, a queue.
trait ActionHandler:
    Fn(State<AppState>, Path<(String, String)>, Uri, HeaderMap, Body) -> ActionFuture
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<F> ActionHandler for F where
    F: Fn(State<AppState>, Path<(String, String)>, Uri, HeaderMap, Body) -> ActionFuture
        + Clone
        + Send
        + Sync
        + 'static
{
}

type ActionFuture = BoxFuture<'static, Result<Json<StaffActionResult>, Problem>>;

/// Hears somebody out, makes out which act of theirs on the thing of this name it is, and
/// has it decided.
fn action_handler(
    act: impl Fn(&StaffRequest<'_>, &str) -> Result<Act, Problem> + Clone + Send + Sync + 'static,
) -> impl ActionHandler {
    move |State(door): State<AppState>,
          Path((site, name)): Path<(String, String)>,
          uri: Uri,
          headers: HeaderMap,
          body: Body| {
        let act = act.clone();
        async move {
            let asked = StaffRequest::read(&door, &site, &headers, &uri, body).await?;
            let act = match act(&asked, &name) {
                // Another replica may have given the number out a moment ago.
                Err(problem) if problem.kind().code == refusals::UNKNOWN_TICKET.code => {
                    door.engine.latest_snapshot(&site).await?;
                    act(&asked, &name)?
                }
                act => act?,
            };
            asked.submit(act).await
        }
        .boxed()
    }
}

/// A body of which nothing is needed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EmptyRequest {}

/// Request of a principal to whom the site is open, with its unparsed body.
struct StaffRequest<'a> {
    door: &'a AppState,
    site: &'a str,
    asker: Principal,
    headers: &'a HeaderMap,
    uri: &'a Uri,
    body: Vec<u8>,
}

impl<'a> StaffRequest<'a> {
    async fn read(
        door: &'a AppState,
        site: &'a str,
        headers: &'a HeaderMap,
        uri: &'a Uri,
        body: Body,
    ) -> Result<StaffRequest<'a>, Problem> {
        let asker = Principal::authenticate(door, headers, &Method::POST).await?;
        asker.authorize_site(door, site)?;
        let body = body::read::<AppState>(body, MAX_BODY_BYTES).await?.into();
        Ok(StaffRequest { door, site, asker, headers, uri, body })
    }

    /// The body; an empty one stands for an object without anything in it.
    fn parse_body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::parse_object::<AppState, _>(&self.body)
    }

    /// Has it decided, and answers what was.
    async fn submit(&self, act: Act) -> Result<Json<StaffActionResult>, Problem> {
        let id = command_id(self.headers, &self.asker, self.site)?;
        let fingerprint = fingerprint(self.uri, &self.body);
        let command = Command { id, fingerprint, actor: self.asker.actor.clone(), act };
        let answered = self.door.engine.submit(self.site, command).await?;
        let (site, staff, outcome) = (self.site, &*self.asker.name, answered.outcome.name());
        tracing::info!(site, staff, command = ?id, outcome, "staff");
        let link = ticket_link::ticket_path(self.door, self.site, &answered.outcome);
        Ok(Json(action_result(answered).with_link(link)))
    }
}

/// The `Idempotency-Key`, if the request came with one.
pub(in crate::http::api) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    Ok(Some(key.ok_or(&refusals::MALFORMED_IDEMPOTENCY_KEY)?))
}

/// Command id: derived from principal, site and Idempotency-Key, or random without a key.
fn command_id(headers: &HeaderMap, asker: &Principal, site: &str) -> Result<CommandId, Problem> {
    let Some(key) = idempotency_key(headers)? else { return Ok(CommandId(entropy::bytes())) };
    let hash = Sha256::digest(format!("api\0{}\0{site}\0{key}", asker.name));
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    Ok(CommandId(id))
}

fn fingerprint(uri: &Uri, body: &[u8]) -> u64 {
    let hash = Sha256::new().chain_update(uri.path()).chain_update([0]).chain_update(body);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}
