//! Pushes of events and messages to a callback: signed, cut after five seconds, repeated.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::wall_ms;
use crate::config::{OnHttpError, PushMode, RepeatStamps, SimAccount};
use crate::crypt::{SealOverrides, seal};
use crate::random;
use crate::reply::ReplyOutcome;
use crate::sign::{msg_signature, signature};
use crate::world::{AccountState, SharedState};

/// Limit of bytes that are read of an answer's body.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Length of the pause after failed pushes.
const PAUSE_MS: u64 = 60 * 1000;

/// Event or message to be pushed.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    /// Index of the account.
    pub(crate) account: usize,
    pub(crate) openid: String,
    /// Kind for the record: `SCAN`, `subscribe`, `text` and so on.
    pub(crate) event: String,
    pub(crate) body: Arc<str>,
    /// Callbacks: the first delivery goes to the first, each repeat to the next, and round again.
    pub(crate) urls: Vec<String>,
    /// Deliberate faults of the push.
    pub(crate) forged: PushOverrides,
}

/// Deliberate faults of a push: query values that differ from those of WeChat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PushOverrides {
    /// Timestamp, in place of the current Unix second.
    pub timestamp: Option<String>,
    /// Nonce, in place of a random number.
    pub nonce: Option<String>,
    /// Signature, in place of the true one.
    pub signature: Option<String>,
    /// Signature over the sealed text, in place of the true one.
    pub msg_signature: Option<String>,
    /// Mode, in place of the account's own.
    pub mode: Option<PushMode>,
    /// Faults inside a sealed push.
    pub warp: SealOverrides,
}

/// Record of a push and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushRecord {
    /// Id, which grows.
    pub id: u64,
    /// AppID of the account.
    pub appid: String,
    /// Openid of the customer.
    pub openid: String,
    /// Kind: `SCAN`, `subscribe`, `text` and so on.
    pub event: String,
    /// XML body before it was sealed.
    pub sent: String,
    /// HTTP requests, in order.
    pub deliveries: Vec<Delivery>,
    /// Classified answer, as the customer saw it.
    pub answer: ReplyOutcome,
}

/// One HTTP request of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Address of the callback, without the query.
    pub url: String,
    /// Query: signature, timestamp, nonce, openid, and the parameters of a sealed push.
    pub query: String,
    /// Start of the request in Unix milliseconds.
    pub at: u64,
    /// Milliseconds until the answer or the timeout.
    pub took_ms: u64,
    /// HTTP status, if there was an answer in time.
    pub status: Option<u16>,
    /// Body of the answer.
    pub body: String,
    /// Header `paihao-ignored`: the cause for which paihao did not act on a signed push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// Reason for a missing answer.
    pub problem: Option<String>,
}

/// Answer to a request.
struct ReceivedAnswer {
    status: u16,
    ignored: Option<String>,
    body: String,
}

/// Query values and body of one delivery, or of all deliveries of a push.
struct SignedDelivery {
    timestamp: String,
    nonce: String,
    signature: String,
    /// Body as it is sent, and the query parameters that a sealed one adds.
    body: String,
    sealed: String,
}

impl SignedDelivery {
    fn new(account: &SimAccount, forged: &PushOverrides, body: &str) -> Self {
        let token = account.callback_token.as_str();
        let now = || (wall_ms() / 1000).to_string();
        let timestamp = forged.timestamp.clone().unwrap_or_else(now);
        let nonce = forged.nonce.clone().unwrap_or_else(random::nonce);
        let computed = || signature(token, &timestamp, &nonce);
        let signature = forged.signature.clone().unwrap_or_else(computed);
        let mode = forged.mode.unwrap_or(account.mode);
        if mode == PushMode::Plain {
            let body = body.to_owned();
            let sealed = String::new();
            return Self { timestamp, nonce, signature, body, sealed };
        }
        // The random part is hexadecimal, as in every captured push.
        let random: [u8; 8] = random::bytes();
        let random = hex::encode(random).into_bytes().try_into().expect("16 digits");
        let encrypt = seal(&account.aes_key, &account.appid, random, body.as_bytes(), &forged.warp);
        let computed = || msg_signature(token, &timestamp, &nonce, &encrypt);
        let msg_signature = forged.msg_signature.clone().unwrap_or_else(computed);
        Self {
            timestamp,
            nonce,
            signature,
            body: sealed_body(mode, &account.original_id, body, &encrypt),
            sealed: format!("&encrypt_type=aes&msg_signature={msg_signature}"),
        }
    }

    fn query(&self, openid: &str) -> String {
        let Self { timestamp, nonce, signature, sealed, .. } = self;
        format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&openid={openid}{sealed}")
    }
}

/// Builds the body around a sealed text. In secure mode only the receiver stays in plain text.
pub(crate) fn sealed_body(mode: PushMode, original_id: &str, plain: &str, encrypt: &str) -> String {
    let encrypt = format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt>");
    match plain.strip_suffix("</xml>") {
        Some(plain) if mode == PushMode::Compatible => format!("{plain}{encrypt}\n</xml>"),
        _ => format!(
            "<xml>\n    <ToUserName><![CDATA[{original_id}]]></ToUserName>\n    {encrypt}\n</xml>\n"
        ),
    }
}

/// Failed pushes to an account, and the pause that they lead to (MarkFail).
#[derive(Debug, Default)]
pub(crate) struct PushPause {
    failed_in_a_row: u32,
    ends_at: u64,
}

impl PushPause {
    fn is_on(&self, now: u64) -> bool {
        now < self.ends_at
    }

    /// Counts a push that was made; `limit` failed ones in a row begin a pause, 0 never does.
    fn count(&mut self, has_failed: bool, limit: u32, now: u64) {
        self.failed_in_a_row = if has_failed { self.failed_in_a_row + 1 } else { 0 };
        if limit > 0 && self.failed_in_a_row >= limit {
            *self = Self { failed_in_a_row: 0, ends_at: now + PAUSE_MS };
        }
    }
}

/// Pushes until there is an answer or all repeats are used up.
pub(crate) async fn push(world: SharedState, push: Push) -> Arc<PushRecord> {
    let mut account = world.accounts[push.account].config.clone();
    // The answer is read as in the mode of the push.
    account.mode = push.forged.mode.unwrap_or(account.mode);
    let behaviour = *world.behaviour.lock();
    let pause = &world.accounts[push.account].push_pause;
    if pause.lock().is_on(world.clock.now_ms()) {
        world.stats.update(|stats| stats.pushes_withheld += 1);
        let reason = "pushes to the account are stopped for a minute".into();
        return record(&world, push, Vec::new(), ReplyOutcome::UserSawError { reason });
    }
    let mut stamp = SignedDelivery::new(&account, &push.forged, &push.body);
    let mut deliveries = Vec::new();
    let mut answer = ReplyOutcome::UserSawError { reason: "no callback address is set".into() };
    for (attempt, url) in push.urls.iter().cycle().take(behaviour.repeats as usize + 1).enumerate()
    {
        if attempt > 0 && behaviour.stamps == RepeatStamps::Renew {
            stamp = SignedDelivery::new(&account, &push.forged, &push.body);
        }
        let query = stamp.query(&push.openid);
        let delivery = deliver(&world, Method::POST, &stamp.body, url, query, behaviour.cut).await;
        let (outcome, is_repeated) =
            classify_answer(&delivery, &push.openid, &account, behaviour.on_http_error);
        deliveries.push(delivery);
        answer = outcome;
        if !is_repeated {
            break;
        }
    }
    let has_failed = matches!(answer, ReplyOutcome::UserSawError { .. });
    if !deliveries.is_empty() {
        let now = world.clock.now_ms();
        pause.lock().count(has_failed, behaviour.mark_fail_after, now);
    }
    world.stats.update(|stats| {
        stats.pushes += 1;
        stats.deliveries += deliveries.len() as u64;
        stats.pushes_failed += u64::from(has_failed);
    });
    record(&world, push, deliveries, answer)
}

fn record(
    world: &SharedState,
    push: Push,
    deliveries: Vec<Delivery>,
    answer: ReplyOutcome,
) -> Arc<PushRecord> {
    world.record_push(PushRecord {
        id: world.new_push_id(),
        appid: world.accounts[push.account].config.appid.clone(),
        openid: push.openid,
        event: push.event,
        sent: push.body.to_string(),
        deliveries,
        answer,
    })
}

/// Sends one request with WeChat's headers and gives up after `cut`.
pub(crate) async fn deliver(
    world: &SharedState,
    method: Method,
    body: &str,
    url: &str,
    query: String,
    cut: Duration,
) -> Delivery {
    let started = Instant::now();
    let at = wall_ms();
    let request = world
        .client
        .request(method, with_query(url, &query))
        .header("Accept", "*/*")
        .header("Pragma", "no-cache")
        .header("Content-Type", "text/xml")
        .body(body.to_owned());
    let result = tokio::select! {
        result = tokio::time::timeout(cut, send_and_read(request)) => result,
        () = world.stop.cancelled() => Ok(Err("the simulator is stopping".into())),
    };
    let (answer, problem) = match result {
        Ok(Ok(answer)) => (Some(answer), None),
        Ok(Err(problem)) => (None, Some(problem)),
        Err(_) => (None, Some("cut: no complete answer in time".into())),
    };
    let took_ms = started.elapsed().as_millis() as u64;
    let status = answer.as_ref().map(|answer| answer.status);
    let (body, ignored) = answer.map(|answer| (answer.body, answer.ignored)).unwrap_or_default();
    Delivery { url: url.to_owned(), query, at, took_ms, status, body, ignored, problem }
}

async fn send_and_read(request: reqwest::RequestBuilder) -> Result<ReceivedAnswer, String> {
    // The address carries the signature, so the error is reported without it.
    let text = |error: reqwest::Error| match error {
        error if error.is_connect() => "connection refused".to_owned(),
        error => error.without_url().to_string(),
    };
    let mut response = request.send().await.map_err(text)?;
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER_BYTES
        && let Some(chunk) = response.chunk().await.map_err(text)?
    {
        body.extend_from_slice(&chunk);
    }
    let ignored = response.headers().get("paihao-ignored");
    Ok(ReceivedAnswer {
        status: response.status().as_u16(),
        ignored: ignored.and_then(|code| code.to_str().ok()).map(str::to_owned),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// Classifies an answer; the second value tells if the push is repeated.
fn classify_answer(
    delivery: &Delivery,
    openid: &str,
    account: &SimAccount,
    on_http_error: OnHttpError,
) -> (ReplyOutcome, bool) {
    let error = |reason: String| ReplyOutcome::UserSawError { reason };
    match (delivery.status, &delivery.problem) {
        (Some(200..=299), _) => {
            (ReplyOutcome::classify(delivery.body.as_bytes(), openid, account), false)
        }
        (Some(status), _) => {
            (error(format!("HTTP {status}")), on_http_error == OnHttpError::Repeat)
        }
        (None, problem) => (error(problem.clone().unwrap_or_default()), true),
    }
}

/// Verifies a callback as the console does when the server configuration is saved: a GET whose
/// `echostr` must come back unchanged.
pub(crate) async fn verify(
    world: &SharedState,
    account: &AccountState,
    url: &str,
) -> Result<(), String> {
    // In every mode the verification is signed over three parts and contains nothing sealed.
    let forged = PushOverrides { mode: Some(PushMode::Plain), ..PushOverrides::default() };
    let SignedDelivery { timestamp, nonce, signature, .. } =
        SignedDelivery::new(&account.config, &forged, "");
    let echostr = (u64::from_le_bytes(random::bytes()) >> 1).to_string();
    let query =
        format!("signature={signature}&echostr={echostr}&timestamp={timestamp}&nonce={nonce}");
    let cut = world.behaviour.lock().cut;
    let request = world.client.get(with_query(url, &query)).header("Accept", "*/*");
    let request = request.header("Pragma", "no-cache");
    match tokio::time::timeout(cut, send_and_read(request)).await {
        Err(_) => Err("no answer in time".into()),
        Ok(Err(problem)) => Err(problem),
        Ok(Ok(answer)) if answer.status == 200 && answer.body == echostr => Ok(()),
        Ok(Ok(ReceivedAnswer { status: 200, .. })) => Err("the answer is not the echostr".into()),
        Ok(Ok(ReceivedAnswer { status, .. })) => Err(format!("HTTP {status}")),
    }
}

fn with_query(url: &str, query: &str) -> String {
    format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' })
}
