//! Dead letters for managers: listed, redriven, dropped.

use crate::http::auth::{Principal, SiteScope};
use crate::http::openapi::{Access, Operation, Role, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::projections::dead_letters::DeadLetter;
use crate::projections::dead_letters::handling::{HandleError, RequestedAction};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use paihao_contracts::dead_letter::DeadLetterAction;
use paihao_http_api::body;
use paihao_http_api::pagination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const DEAD_LETTERS_PATH: &str = "/api/v1/dead-letters";

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// Access to dead letters.
const MANAGER_ACCESS: Access = Access::Authenticated(&[Role::Manager, Role::ApiManager]);

pub(super) fn routes() -> Routes {
    let of_one = |id, summary| -> Operation {
        endpoint(id, summary, MANAGER_ACCESS)
            .without_idempotency_key(
                "what was done once is done: a repeat is answered like the first",
            )
            .refuses(&[
                &refusals::NOT_YOUR_SITE,
                &refusals::UNKNOWN_LETTER,
                &refusals::LETTER_HANDLED,
            ])
    };
    Routes::new()
        .get(
            DEAD_LETTERS_PATH,
            list,
            endpoint("dead_letters", "What could not be done, newest first", MANAGER_ACCESS)
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE]),
        )
        .post(
            &format!("{DEAD_LETTERS_PATH}/{{letter}}/redrive"),
            redrive,
            of_one("redrive_letter", "Tries it again, once; what is stale by then is not said")
                .refuses(&[&refusals::NOT_REDRIVABLE]),
        )
        .post(
            &format!("{DEAD_LETTERS_PATH}/{{letter}}/drop"),
            discard,
            of_one("drop_letter", "Drops it: nobody needs it any more"),
        )
        .post(
            &format!("{DEAD_LETTERS_PATH}/redrive"),
            redrive_all,
            endpoint(
                "redrive_letters",
                "Tries everything again that failed for one reason",
                MANAGER_ACCESS,
            )
            .json_body::<RedriveDeadLettersRequest>()
            .without_idempotency_key("what was tried again already is left alone")
            .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE]),
        )
}

/// Filter of dead letters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeadLetterListQuery {
    /// Site; every site that is open to the principal, if left out.
    site: Option<String>,
    /// Those of this reason only.
    reason: Option<String>,
    /// Also those about which something was done.
    #[serde(default)]
    handled: bool,
    /// Those before this one: the `next` of a page.
    before: Option<u64>,
    /// Size of the page, 1 to 500; 100 by default.
    limit: Option<usize>,
}

/// Dead letters.
#[derive(Serialize, JsonSchema)]
struct DeadLetterPage {
    /// Newest first.
    letters: Vec<DeadLetterView>,
    /// Value of `before` for the next page; `null` if there is nothing older.
    next: Option<u64>,
    /// Unhandled letters of each reason, whatever the filter and the page.
    reasons: Vec<DeadLetterReasonCount>,
}

/// A reason, and how many wait for it to be mended.
#[derive(Serialize, JsonSchema)]
struct DeadLetterReasonCount {
    #[serde(flatten)]
    reason: DeadLetterReason,
    /// Number of unhandled letters.
    waiting: usize,
}

/// Reason of a failure.
#[derive(Serialize, JsonSchema)]
struct DeadLetterReason {
    /// Stable: WeChat's code by our name of it, or one of ours.
    reason: &'static str,
    /// Advice in Chinese.
    zh: &'static str,
    /// The same in English.
    en: &'static str,
}

/// One dead letter. It never says whom it was for.
#[derive(Serialize, JsonSchema)]
struct DeadLetterView {
    id: u64,
    #[serde(flatten)]
    reason: DeadLetterReason,
    /// The whole of what was met.
    met: String,
    /// Since when, in Unix milliseconds.
    at: i64,
    /// For how long, in seconds.
    age: u64,
    /// The work queue or log it came from: `notices`, `webhooks`.
    origin: String,
    site: Option<String>,
    /// The kind of notice, or the type of event.
    kind: Option<String>,
    /// The ticket's number.
    number: Option<String>,
    /// Number of requests to WeChat, if it is known.
    attempts: Option<u32>,
    /// Until when it is worth saying, in Unix milliseconds: tried again after that it ends as
    /// stale.
    valid_until: Option<i64>,
    /// True if it can be redriven.
    redrivable: bool,
    /// Handling of the letter, once it was handled.
    handled: Option<DeadLetterHandlingView>,
}

/// Handling of a letter.
#[derive(Serialize, JsonSchema)]
struct DeadLetterHandlingView {
    /// `redriven` or `dropped`.
    did: &'static str,
    /// Principal who handled it.
    by: String,
    /// Time in Unix milliseconds.
    at: i64,
}

async fn list(
    State(door): State<AppState>,
    asker: Principal,
    which: Result<Query<DeadLetterListQuery>, QueryRejection>,
) -> Result<Json<DeadLetterPage>, Problem> {
    require_manager(&asker)?;
    let Query(which) = which.map_err(|rejected| {
        Problem::new(&refusals::MALFORMED_REQUEST).with_detail(rejected.body_text())
    })?;
    let limit = pagination::limit::<AppState>(which.limit)?;
    let open = visible_letters(&door, &asker, which.site.as_deref())?;
    let reasons = count_by_reason(&open);
    let fits = |letter: &&Arc<DeadLetter>| {
        which.reason.as_ref().is_none_or(|reason| letter.reason.name == reason)
            && (which.handled || letter.handled.is_none())
            && which.before.is_none_or(|before| letter.position < before)
    };
    let fitting = open.iter().rev().filter(fits);
    let (letters, next) = pagination::page(fitting, limit, |letter| letter.position);
    let letters = letters.into_iter().map(|letter| letter_view(&door, letter)).collect();
    Ok(Json(DeadLetterPage { letters, next, reasons }))
}

async fn redrive(
    State(door): State<AppState>,
    Path(id): Path<String>,
    asker: Principal,
) -> Result<Json<DeadLetterView>, Problem> {
    handle(&door, &asker, &id, RequestedAction::Redrive).await
}

async fn discard(
    State(door): State<AppState>,
    Path(id): Path<String>,
    asker: Principal,
) -> Result<Json<DeadLetterView>, Problem> {
    handle(&door, &asker, &id, RequestedAction::Drop).await
}

async fn handle(
    door: &AppState,
    asker: &Principal,
    id: &str,
    wanted: RequestedAction,
) -> Result<Json<DeadLetterView>, Problem> {
    require_manager(asker)?;
    let letter = id.parse().ok().and_then(|position| door.dead_letters.get(position));
    let letter = letter.ok_or(&refusals::UNKNOWN_LETTER)?;
    if !is_visible(asker, &letter) {
        return Err(Problem::new(&refusals::NOT_YOUR_SITE));
    }
    let letter = door.dead_letter_handler.handle(&letter, wanted, &asker.name).await?;
    Ok(Json(letter_view(door, &letter)))
}

/// Letters to redrive.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RedriveDeadLettersRequest {
    /// Reason of the failure.
    reason: String,
    /// At this site only.
    site: Option<String>,
}

/// Result of a redrive by reason.
#[derive(Serialize, JsonSchema)]
struct RedriveDeadLettersResult {
    /// Number of redriven letters; a repeated request counts only further ones.
    redriven: usize,
}

async fn redrive_all(
    State(door): State<AppState>,
    asker: Principal,
    body: Body,
) -> Result<Json<RedriveDeadLettersResult>, Problem> {
    require_manager(&asker)?;
    let wanted: RedriveDeadLettersRequest =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let mut redriven = 0;
    for letter in visible_letters(&door, &asker, wanted.site.as_deref())? {
        let waits = letter.handled.is_none() && letter.subject.redrivable;
        if !waits || letter.reason.name != wanted.reason {
            continue;
        }
        let handled =
            door.dead_letter_handler.handle(&letter, RequestedAction::Redrive, &asker.name);
        match handled.await {
            Ok(_) => redriven += 1,
            // Somebody else was faster.
            Err(HandleError::AlreadyHandled) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(RedriveDeadLettersResult { redriven }))
}

fn require_manager(asker: &Principal) -> Result<(), Problem> {
    match asker.actor.is_manager() {
        true => Ok(()),
        false => Err(Problem::new(&refusals::NOT_ALLOWED)),
    }
}

/// Letters that the principal may see, of one site if it is given; oldest first.
fn visible_letters(
    door: &AppState,
    asker: &Principal,
    site: Option<&str>,
) -> Result<Vec<Arc<DeadLetter>>, Problem> {
    if let Some(site) = site {
        asker.authorize_site(door, site)?;
    }
    let mut letters = door.dead_letters.retained(door.clock.now_ms());
    letters.retain(|letter| {
        is_visible(asker, letter)
            && site.is_none_or(|site| letter.subject.site.as_deref() == Some(site))
    });
    Ok(letters)
}

/// True if the letter is visible: one of no site only for a principal with every site.
fn is_visible(asker: &Principal, letter: &DeadLetter) -> bool {
    match &letter.subject.site {
        Some(site) => asker.scope().contains(site),
        None => *asker.scope() == SiteScope::All,
    }
}

fn count_by_reason(letters: &[Arc<DeadLetter>]) -> Vec<DeadLetterReasonCount> {
    let mut counts = BTreeMap::new();
    for letter in letters.iter().filter(|letter| letter.handled.is_none()) {
        counts.entry(letter.reason.name).or_insert((reason_view(letter), 0)).1 += 1;
    }
    counts
        .into_values()
        .map(|(reason, waiting)| DeadLetterReasonCount { reason, waiting })
        .collect()
}

fn reason_view(letter: &DeadLetter) -> DeadLetterReason {
    DeadLetterReason { reason: letter.reason.name, zh: letter.reason.zh, en: letter.reason.en }
}

fn letter_view(door: &AppState, letter: &DeadLetter) -> DeadLetterView {
    let about = &letter.subject;
    let age = (door.clock.now_ms() - letter.at).max(0) as u64 / 1000;
    let handled = letter.handled.as_ref().map(|handled| DeadLetterHandlingView {
        did: match handled.action {
            DeadLetterAction::Redriven { .. } => "redriven",
            DeadLetterAction::Dropped => "dropped",
        },
        by: handled.by.clone(),
        at: handled.at,
    });
    DeadLetterView {
        id: letter.position,
        reason: reason_view(letter),
        met: letter.error.clone(),
        at: letter.at,
        age,
        origin: letter.origin.clone(),
        site: about.site.clone(),
        kind: about.kind.clone(),
        number: about.number.clone(),
        attempts: door.delivery_status.attempts(&about.key),
        valid_until: about.valid_until,
        redrivable: about.redrivable,
        handled,
    }
}
