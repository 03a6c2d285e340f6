//! What could not be done, for whoever runs a site: seen, tried again, dropped.

use crate::http::asker::{Asker, Opens};
use crate::http::body;
use crate::http::openapi::{Access, Operation, Role, Routes, op};
use crate::http::paging;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::projections::letters::Letter;
use crate::projections::letters::handling::Wanted;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use paihao_contracts::dead_letter::Handling;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const LETTERS: &str = "/api/v1/dead-letters";

/// Bytes that a wish may have.
const BODY_LIMIT: usize = 4096;

/// Who may look at them, and do something about them.
const RUNS_THINGS: Access = Access::Known(&[Role::Manager, Role::ApiManager]);

pub(super) fn routes() -> Routes {
    let of_one = |id, summary| -> Operation {
        op(id, summary, RUNS_THINGS)
            .repeatable("what was done once is done: a repeat is answered like the first")
            .refuses(&[
                &refusals::NOT_YOUR_SITE,
                &refusals::UNKNOWN_LETTER,
                &refusals::LETTER_HANDLED,
            ])
    };
    Routes::new()
        .get(
            LETTERS,
            list,
            op("dead_letters", "What could not be done, newest first", RUNS_THINGS)
                .queried::<Which>()
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE]),
        )
        .post(
            &format!("{LETTERS}/{{letter}}/redrive"),
            redrive,
            of_one("redrive_letter", "Tries it again, once; what is stale by then is not said")
                .refuses(&[&refusals::NOT_REDRIVABLE]),
        )
        .post(
            &format!("{LETTERS}/{{letter}}/drop"),
            forget,
            of_one("drop_letter", "Drops it: nobody needs it any more"),
        )
        .post(
            &format!("{LETTERS}/redrive"),
            redrive_all,
            op("redrive_letters", "Tries everything again that failed for one reason", RUNS_THINGS)
                .takes::<AllOf>()
                .repeatable("what was tried again already is left alone")
                .refuses(&[&refusals::UNKNOWN_SITE, &refusals::NOT_YOUR_SITE]),
        )
}

/// Which of them.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LettersQuery")]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those of this site only; those of every site that is open to the asker, if left out.
    site: Option<String>,
    /// Those of this reason only.
    reason: Option<String>,
    /// Also those about which something was done.
    #[serde(default)]
    handled: bool,
    /// Those before this one: the `next` of a page.
    before: Option<u64>,
    /// How many, 1 to 500; 100 unless said.
    limit: Option<usize>,
}

/// Dead letters.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetters")]
struct Page {
    /// Newest first.
    letters: Vec<LetterSeen>,
    /// What to ask for as `before` next; `null` if there is nothing older.
    next: Option<u64>,
    /// How many wait of each reason, whatever was asked for and on whichever page.
    reasons: Vec<ReasonSeen>,
}

/// A reason, and how many wait for it to be mended.
#[derive(Serialize, JsonSchema)]
struct ReasonSeen {
    #[serde(flatten)]
    reason: Why,
    /// How many wait.
    waiting: usize,
}

/// Why something could not be done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterReason")]
struct Why {
    /// Stable: WeChat's code by our name of it, or one of ours.
    reason: &'static str,
    /// What to do about it, in Chinese.
    zh: &'static str,
    /// The same in English.
    en: &'static str,
}

/// One dead letter. It never says whom it was for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
struct LetterSeen {
    id: u64,
    #[serde(flatten)]
    why: Why,
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
    /// How many times WeChat was asked, if that is known.
    attempts: Option<u32>,
    /// Until when it is worth saying, in Unix milliseconds: tried again after that it ends as stale.
    valid_until: Option<i64>,
    /// Whether it can be tried again.
    redrivable: bool,
    /// What was done about it.
    handled: Option<HandledSeen>,
}

/// What was done about a letter.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterHandled")]
struct HandledSeen {
    /// `redriven` or `dropped`.
    did: &'static str,
    /// Who.
    by: String,
    /// When, in Unix milliseconds.
    at: i64,
}

async fn list(
    State(door): State<Door>,
    asker: Asker,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    manages(&asker)?;
    let Query(which) = which.map_err(|rejected| {
        Problem::new(&refusals::MALFORMED_REQUEST).detail(rejected.body_text())
    })?;
    let limit = paging::limit(which.limit)?;
    let open = open(&door, &asker, which.site.as_deref())?;
    let reasons = waiting(&open);
    let fits = |letter: &&Arc<Letter>| {
        which.reason.as_ref().is_none_or(|reason| letter.reason.name == reason)
            && (which.handled || letter.handled.is_none())
            && which.before.is_none_or(|before| letter.position < before)
    };
    let fitting = open.iter().rev().filter(fits);
    let (letters, next) = paging::page(fitting, limit, |letter| letter.position);
    let letters = letters.into_iter().map(|letter| seen(&door, letter)).collect();
    Ok(Json(Page { letters, next, reasons }))
}

async fn redrive(
    State(door): State<Door>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Json<LetterSeen>, Problem> {
    handle(&door, &asker, &id, Wanted::Redrive).await
}

async fn forget(
    State(door): State<Door>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Json<LetterSeen>, Problem> {
    handle(&door, &asker, &id, Wanted::Drop).await
}

async fn handle(
    door: &Door,
    asker: &Asker,
    id: &str,
    wanted: Wanted,
) -> Result<Json<LetterSeen>, Problem> {
    manages(asker)?;
    let letter = id.parse().ok().and_then(|position| door.letters.at(position));
    let letter = letter.ok_or(&refusals::UNKNOWN_LETTER)?;
    if !is_open(asker, &letter) {
        return Err(Problem::new(&refusals::NOT_YOUR_SITE));
    }
    let letter = door.handle(&letter, wanted, &asker.name).await?;
    Ok(Json(seen(door, &letter)))
}

/// What is to be tried again.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RedriveWanted")]
#[serde(deny_unknown_fields)]
struct AllOf {
    /// What failed for this reason.
    reason: String,
    /// At this site only.
    site: Option<String>,
}

/// How many are tried again.
#[derive(Serialize, JsonSchema)]
struct Redriven {
    /// Whoever asks again is told how many more.
    redriven: usize,
}

async fn redrive_all(
    State(door): State<Door>,
    asker: Asker,
    body: Body,
) -> Result<Json<Redriven>, Problem> {
    manages(&asker)?;
    let wanted: AllOf = body::json(body, BODY_LIMIT).await?;
    let mut redriven = 0;
    for letter in open(&door, &asker, wanted.site.as_deref())? {
        let waits = letter.handled.is_none() && letter.about.redrivable;
        if !waits || letter.reason.name != wanted.reason {
            continue;
        }
        match door.handle(&letter, Wanted::Redrive, &asker.name).await {
            Ok(_) => redriven += 1,
            // Somebody else was faster.
            Err(problem) if problem.kind() == &refusals::LETTER_HANDLED => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(Json(Redriven { redriven }))
}

fn manages(asker: &Asker) -> Result<(), Problem> {
    match asker.actor.manages() {
        true => Ok(()),
        false => Err(Problem::new(&refusals::NOT_ALLOWED)),
    }
}

/// The letters that somebody may see, of one site if they name it; oldest first.
fn open(door: &Door, asker: &Asker, site: Option<&str>) -> Result<Vec<Arc<Letter>>, Problem> {
    if let Some(site) = site {
        asker.at(door, site)?;
    }
    let mut letters = door.letters.all(door.clock.now_ms());
    letters.retain(|letter| {
        is_open(asker, letter) && site.is_none_or(|site| letter.about.site.as_deref() == Some(site))
    });
    Ok(letters)
}

/// What is of no site is seen by who has every site.
fn is_open(asker: &Asker, letter: &Letter) -> bool {
    match &letter.about.site {
        Some(site) => asker.opens().contains(site),
        None => *asker.opens() == Opens::Every,
    }
}

fn waiting(letters: &[Arc<Letter>]) -> Vec<ReasonSeen> {
    let mut counts = BTreeMap::new();
    for letter in letters.iter().filter(|letter| letter.handled.is_none()) {
        counts.entry(letter.reason.name).or_insert((why(letter), 0)).1 += 1;
    }
    counts.into_values().map(|(reason, waiting)| ReasonSeen { reason, waiting }).collect()
}

fn why(letter: &Letter) -> Why {
    Why { reason: letter.reason.name, zh: letter.reason.zh, en: letter.reason.en }
}

fn seen(door: &Door, letter: &Letter) -> LetterSeen {
    let about = &letter.about;
    let age = (door.clock.now_ms() - letter.at).max(0) as u64 / 1000;
    let handled = letter.handled.as_ref().map(|handled| HandledSeen {
        did: match handled.did {
            Handling::Redriven { .. } => "redriven",
            Handling::Dropped => "dropped",
        },
        by: handled.by.clone(),
        at: handled.at,
    });
    LetterSeen {
        id: letter.position,
        why: why(letter),
        met: letter.met.clone(),
        at: letter.at,
        age,
        origin: letter.origin.clone(),
        site: about.site.clone(),
        kind: about.kind.clone(),
        number: about.number.clone(),
        attempts: door.fates.attempts(&about.key),
        valid_until: about.valid_until,
        redrivable: about.redrivable,
        handled,
    }
}
