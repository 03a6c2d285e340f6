//! Dead letters for managers: listed, redriven, dropped.

use crate::http::access::{Authorized, ManagerScope};
use crate::http::auth::{Principal, SiteScope};
use crate::http::openapi::{Operation, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::projections::dead_letters::DeadLetter;
use crate::projections::dead_letters::handling::{HandleError, RequestedAction};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use paihao_contracts::dead_letter::DeadLetterAction;
use paihao_http_api::ApiQuery;
use paihao_http_api::body;
use paihao_http_api::pagination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const DEAD_LETTERS_PATH: &str = "/api/v1/dead-letters";

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

pub(super) fn routes() -> Routes {
    let single_letter_operation = |id, summary| -> Operation {
        endpoint(id, summary)
            .without_idempotency_key(
                "what was done once is done: a repeat is answered like the first",
            )
            .refuses(&[
                &refusals::NOT_YOUR_SITE,
                &refusals::UNKNOWN_LETTER,
                &refusals::LETTER_HANDLED,
                &refusals::NEWER_LEDGER,
            ])
    };
    Routes::new()
        .get(
            DEAD_LETTERS_PATH,
            list,
            endpoint("dead_letters", "Lists messages that could not be handled, newest first")
                .refuses(LIST_REFUSALS),
        )
        .post(
            &format!("{DEAD_LETTERS_PATH}/{{letter}}/redrive"),
            redrive,
            single_letter_operation(
                "redrive_letter",
                "Redrives a dead letter, once; a notice that is stale by then is not sent",
            )
            .refuses(&[&refusals::NOT_REDRIVABLE]),
        )
        .post(
            &format!("{DEAD_LETTERS_PATH}/{{letter}}/drop"),
            discard,
            single_letter_operation(
                "drop_letter",
                "Drops a dead letter that nobody needs any more",
            ),
        )
        .post(
            &format!("{DEAD_LETTERS_PATH}/redrive"),
            redrive_all,
            endpoint("redrive_letters", "Redrives every dead letter that failed for one reason")
                .json_body::<RedriveDeadLettersRequest>()
                .without_idempotency_key("what was tried again already is left alone")
                .refuses(LIST_REFUSALS),
        )
}

const LIST_REFUSALS: &[&refusals::ProblemKind] =
    &[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE, &refusals::NEWER_LEDGER];

/// Filter of dead letters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeadLetterListQuery {
    /// Site; every site that is open to the principal, if left out.
    site: Option<String>,
    /// Those of this reason only.
    reason: Option<String>,
    /// True to list handled letters too.
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

/// Number of unhandled letters of a reason.
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
    /// Stable name of the reason, for WeChat's codes too.
    reason: &'static str,
    /// Advice in Chinese.
    zh: &'static str,
    /// Advice in English.
    en: &'static str,
}

/// Dead letter, without its recipient.
#[derive(Serialize, JsonSchema)]
struct DeadLetterView {
    id: u64,
    #[serde(flatten)]
    reason: DeadLetterReason,
    /// Full text of the error.
    met: String,
    /// Time of the failure, in Unix milliseconds.
    at: i64,
    /// Time since the failure, in seconds.
    age: u64,
    /// Work queue or log that it came from: `notices`, `webhooks`.
    origin: String,
    site: Option<String>,
    /// The kind of notice, or the type of event.
    kind: Option<String>,
    /// The ticket's number.
    number: Option<String>,
    /// Number of requests to WeChat, if it is known.
    attempts: Option<u32>,
    /// End of its validity, in Unix milliseconds: a letter that is redriven later ends as stale.
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
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
    ApiQuery(query): ApiQuery<DeadLetterListQuery>,
) -> Result<Json<DeadLetterPage>, Problem> {
    let limit = pagination::limit::<AppState>(query.limit)?;
    let visible = visible_letters(&state, &principal, query.site.as_deref())?;
    let reasons = count_by_reason(&visible);
    let matches_query = |letter: &&Arc<DeadLetter>| {
        query.reason.as_ref().is_none_or(|reason| letter.reason.name == reason)
            && (query.handled || letter.handled.is_none())
            && query.before.is_none_or(|before| letter.position < before)
    };
    let matching = visible.iter().rev().filter(matches_query);
    let (page, next) = pagination::page(matching, limit, |letter| letter.position);
    let letters = page.into_iter().map(|letter| letter_view(&state, letter)).collect();
    Ok(Json(DeadLetterPage { letters, next, reasons }))
}

async fn redrive(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
) -> Result<Json<DeadLetterView>, Problem> {
    handle(&state, &principal, &id, RequestedAction::Redrive).await
}

async fn discard(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
) -> Result<Json<DeadLetterView>, Problem> {
    handle(&state, &principal, &id, RequestedAction::Drop).await
}

async fn handle(
    state: &AppState,
    principal: &Principal,
    id: &str,
    action: RequestedAction,
) -> Result<Json<DeadLetterView>, Problem> {
    require_readable(state)?;
    let position = id.parse().ok();
    let letter = position.and_then(|position| state.dead_letters.get(position));
    let letter = letter.ok_or(&refusals::UNKNOWN_LETTER)?;
    if !is_visible(principal, &letter) {
        return Err(Problem::new(&refusals::NOT_YOUR_SITE));
    }
    let handled = state.dead_letter_handler.handle(&letter, action, &principal.name).await?;
    Ok(Json(letter_view(state, &handled)))
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
    State(state): State<AppState>,
    Authorized { principal, .. }: Authorized<ManagerScope>,
    body: Body,
) -> Result<Json<RedriveDeadLettersResult>, Problem> {
    let request: RedriveDeadLettersRequest =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let mut redriven = 0;
    for letter in visible_letters(&state, &principal, request.site.as_deref())? {
        let is_redrivable = letter.handled.is_none() && letter.subject.redrivable;
        if !is_redrivable || letter.reason.name != request.reason {
            continue;
        }
        let handled =
            state.dead_letter_handler.handle(&letter, RequestedAction::Redrive, &principal.name);
        match handled.await {
            Ok(_) => redriven += 1,
            // Another principal handled it first.
            Err(HandleError::AlreadyHandled) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(RedriveDeadLettersResult { redriven }))
}

/// Letters that the principal may see, of one site if it is given; oldest first.
fn visible_letters(
    state: &AppState,
    principal: &Principal,
    site: Option<&str>,
) -> Result<Vec<Arc<DeadLetter>>, Problem> {
    if let Some(site) = site {
        principal.authorize_site(state, site)?;
    }
    require_readable(state)?;
    let mut letters = state.dead_letters.retained(state.clock.now_ms());
    letters.retain(|letter| {
        is_visible(principal, letter)
            && site.is_none_or(|site| letter.subject.site.as_deref() == Some(site))
    });
    Ok(letters)
}

/// Refuses if a newer program handled a letter in a way that is not known here.
fn require_readable(state: &AppState) -> Result<(), Problem> {
    let newer = state.dead_letters.newer();
    newer.map_or(Ok(()), |_| Err(Problem::new(&refusals::NEWER_LEDGER)))
}

/// True if the letter is visible: one of no site only for a principal with every site.
fn is_visible(principal: &Principal, letter: &DeadLetter) -> bool {
    match &letter.subject.site {
        Some(site) => principal.scope().contains(site),
        None => *principal.scope() == SiteScope::All,
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

fn letter_view(state: &AppState, letter: &DeadLetter) -> DeadLetterView {
    let subject = &letter.subject;
    let age = (state.clock.now_ms() - letter.at).max(0) as u64 / 1000;
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
        site: subject.site.clone(),
        kind: subject.kind.clone(),
        number: subject.number.clone(),
        attempts: state.delivery_status.attempts(&subject.key),
        valid_until: subject.valid_until,
        redrivable: subject.redrivable,
        handled,
    }
}
