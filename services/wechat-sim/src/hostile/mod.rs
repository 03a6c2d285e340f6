//! Test run of hostile pushes, which WeChat would never send, with an assessment of the answers.

mod rows;

use reqwest::Method;
use serde::Serialize;

use crate::act::payload_head;
use crate::config::PushMode;
use crate::push::{Delivery, deliver};
use crate::reply::ReplyOutcome;
use crate::world::{AccountState, SharedState};
use rows::{FORGERY_CASES, Forgery, ForgeryTarget, OPENID};

/// Limit of characters that a report shows of each body and answer.
const MAX_EXCERPT_CHARS: usize = 1000;

/// Report of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostileReport {
    /// Address of the callback, without the query.
    pub url: String,
    /// Mode of the account, in which all requests were made.
    pub mode: PushMode,
    /// Number of answers that a correct server would not give.
    pub disagreements: usize,
    /// Cases in the order of sending.
    pub cases: Vec<HostileCase>,
}

/// Hostile request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostileCase {
    /// Description of the fault.
    #[serde(rename = "what")]
    pub description: &'static str,
    /// Method: `GET` or `POST`.
    pub method: &'static str,
    /// Query of the request.
    pub query: String,
    /// Beginning of the body.
    pub sent: String,
    /// Length of the body in bytes.
    pub sent_bytes: usize,
    /// HTTP status, if there was an answer in time.
    pub status: Option<u16>,
    /// Beginning of the answer's body.
    pub answer: String,
    /// Header `paihao-ignored`: the cause for which paihao did not act on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// Reason for a missing answer, or a fault of the answer apart from its status.
    pub problem: Option<String>,
    /// Statuses of a correct server.
    #[serde(rename = "right")]
    pub expected_statuses: &'static [u16],
    /// True if a correct server would answer so.
    pub agrees: bool,
}

/// Sends all hostile requests to `url`, or to the account's callback. They are made from `body`, or
/// from a text message.
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
    let config = &account.config;
    let text = || {
        let text = payload_head(account, OPENID, "text").text("Content", "hostile");
        text.number("MsgId", world.new_msgid()).finish()
    };
    let body = body.unwrap_or_else(text);
    let target = ForgeryTarget { account: config, body: &body };
    let mut cases = Vec::new();
    for row in FORGERY_CASES {
        let expected_statuses = if config.mode == PushMode::Plain { row.plain } else { row.sealed };
        let forgery = (row.forge)(&target);
        let delivery = send(world, &url, &forgery).await;
        let mut case = case(row.description, forgery, delivery, expected_statuses);
        if case.status == Some(200) && !["", "success"].contains(&case.answer.trim()) {
            case.problem = Some("the forgery was replied to".to_owned());
            case.agrees = false;
        }
        cases.push(case);
    }
    // This case comes last, so that it also shows that the server still answers.
    cases.push(replay_case(world, account, &url, &text()).await);
    let disagreements = cases.iter().filter(|case| !case.agrees).count();
    Ok(HostileReport { url, mode: config.mode, disagreements, cases })
}

async fn send(world: &SharedState, url: &str, forgery: &Forgery) -> Delivery {
    let method = if forgery.get { Method::GET } else { Method::POST };
    let cut = world.behaviour.lock().cut;
    deliver(world, method, &forgery.body, url, forgery.query.clone(), cut).await
}

/// Sends a valid push twice, byte for byte, as a repeat by WeChat or a replay by an attacker. The
/// second answer has to equal the first.
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
    let before = read(&first);
    let after = read(&second);
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
    description: &'static str,
    forgery: Forgery,
    delivery: Delivery,
    expected_statuses: &'static [u16],
) -> HostileCase {
    let excerpt = |text: &str| text.chars().take(MAX_EXCERPT_CHARS).collect();
    HostileCase {
        description,
        method: if forgery.get { "GET" } else { "POST" },
        sent: excerpt(&forgery.body),
        sent_bytes: forgery.body.len(),
        query: forgery.query,
        status: delivery.status,
        answer: excerpt(&delivery.body),
        ignored: delivery.ignored,
        problem: delivery.problem,
        expected_statuses,
        agrees: delivery.status.is_some_and(|status| expected_statuses.contains(&status)),
    }
}
