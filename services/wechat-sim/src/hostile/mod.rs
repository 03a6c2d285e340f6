//! Sends a callback everything that WeChat never would, and judges what it answers.

mod rows;

use reqwest::Method;
use serde::Serialize;

use crate::act::payload_head;
use crate::config::PushMode;
use crate::push::{Delivery, deliver};
use crate::reply::ReplyOutcome;
use crate::world::{AccountState, SharedState};
use rows::{FORGERY_CASES, Forgery, ForgeryTarget, OPENID};

/// Of what is sent and answered, so many characters are shown.
const MAX_EXCERPT_CHARS: usize = 1000;

/// What a callback made of it all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostileReport {
    /// The callback, without the query.
    pub url: String,
    /// The account's mode, in which everything was made.
    pub mode: PushMode,
    /// How many answers are not a right server's.
    pub disagreements: usize,
    /// In the order in which they were sent.
    pub cases: Vec<HostileCase>,
}

/// One thing that was sent, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostileCase {
    /// What was wrong with it.
    pub what: &'static str,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The query.
    pub query: String,
    /// How the body began.
    pub sent: String,
    /// How long the body was.
    pub sent_bytes: usize,
    /// The HTTP status, if there was an answer in time.
    pub status: Option<u16>,
    /// How the answer's body began.
    pub answer: String,
    /// Why there was no answer, or what was wrong with it beyond the status.
    pub problem: Option<String>,
    /// The statuses of a right server.
    pub right: &'static [u16],
    /// Whether the answer is a right server's.
    pub agrees: bool,
}

/// Sends all of it to `url`, or to where the account's pushes go. `body` is what the forgeries are
/// made of, instead of a text message.
///
/// # Errors
/// The account has no callback.
pub(crate) async fn run(
    world: &SharedState,
    account: &AccountState,
    url: Option<String>,
    body: Option<String>,
) -> Result<HostileReport, &'static str> {
    let url = url.or_else(|| account.next_urls().into_iter().next());
    let url = url.ok_or("no callback address is set")?;
    let own = &account.config;
    let text = || {
        let text = payload_head(account, OPENID, "text").text("Content", "hostile");
        text.number("MsgId", world.new_msgid()).finish()
    };
    let body = body.unwrap_or_else(text);
    let mark = ForgeryTarget { account: own, body: &body };
    let mut cases = Vec::new();
    for row in FORGERY_CASES {
        let right = if own.mode == PushMode::Plain { row.plain } else { row.sealed };
        let forgery = (row.forge)(&mark);
        let delivery = send(world, &url, &forgery).await;
        cases.push(case(row.what, forgery, delivery, right));
    }
    // Last, so that it also shows whether the server still answers.
    cases.push(replay_case(world, account, &url, &text()).await);
    let disagreements = cases.iter().filter(|case| !case.agrees).count();
    Ok(HostileReport { url, mode: own.mode, disagreements, cases })
}

async fn send(world: &SharedState, url: &str, forgery: &Forgery) -> Delivery {
    let method = if forgery.get { Method::GET } else { Method::POST };
    let cut = world.behaviour.lock().cut;
    deliver(world, method, &forgery.body, url, forgery.query.clone(), cut).await
}

/// A true push, and the very same bytes again, as a repeat of WeChat's or a recording of anybody's:
/// the second answer says what the first has said.
async fn replay_case(
    world: &SharedState,
    account: &AccountState,
    url: &str,
    body: &str,
) -> HostileCase {
    let forgery = ForgeryTarget { account: &account.config, body }.valid_push(body);
    let first = send(world, url, &forgery).await;
    let second = send(world, url, &forgery).await;
    let read = |delivery: &Delivery| match delivery.status {
        Some(200) => ReplyOutcome::classify(delivery.body.as_bytes(), OPENID, &account.config),
        _ => ReplyOutcome::UserSawError { reason: format!("{:?}", delivery.status) },
    };
    let (before, after) = (read(&first), read(&second));
    let mut case = case("a true push, the second time", forgery, second, &[200]);
    if let ReplyOutcome::UserSawError { reason } = &after {
        case.problem = case.problem.or_else(|| Some(reason.clone()));
    } else if after != before {
        case.problem = Some(format!("the first answer was {before:?}"));
    }
    case.agrees &= case.problem.is_none();
    case
}

fn case(
    what: &'static str,
    forgery: Forgery,
    delivery: Delivery,
    right: &'static [u16],
) -> HostileCase {
    let shown = |text: &str| text.chars().take(MAX_EXCERPT_CHARS).collect();
    HostileCase {
        what,
        method: if forgery.get { "GET" } else { "POST" },
        sent: shown(&forgery.body),
        sent_bytes: forgery.body.len(),
        query: forgery.query,
        status: delivery.status,
        answer: shown(&delivery.body),
        problem: delivery.problem,
        right,
        agrees: delivery.status.is_some_and(|status| right.contains(&status)),
    }
}
