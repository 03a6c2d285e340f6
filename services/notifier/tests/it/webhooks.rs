//! Tests of webhooks: signed messages, retries, dead letters, and isolation of receivers.

use crate::support::wait_until;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use paihao_cache::{Cache, MemoryCache};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::config::SecretText;
use paihao_contracts::envelope::decode;
use paihao_contracts::public_event::{EventId, PUBLIC_VERSION, PublicEvent, PublicEventKind};
use paihao_contracts::streams::{DEAD_LETTERS, LEDGER, WEBHOOKS, webhook_deliveries_key};
use paihao_contracts::webhook::WebhookMessage;
use paihao_contracts::webhook_deliveries::WebhookDeliveries;
use paihao_ledger::dead_letter::REASON_HEADER;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_notifier::webhooks::{Settings, WebhookEndpoint, start};
use paihao_wechat::private_targets::PrivateTargets;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

const START_MS: i64 = 1_795_384_474_775;

/// Message as a receiver got it.
#[derive(Debug)]
struct ReceivedPost {
    signature: String,
    id: String,
    /// Id, time and signature of Standard Webhooks.
    standard: [String; 3],
    body: String,
}

impl ReceivedPost {
    /// Returns the time of the signature in Unix seconds.
    fn signed_at(&self) -> i64 {
        let t = self.signature.strip_prefix("t=").unwrap().split_once(',').unwrap().0;
        t.parse().unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Response of a receiver by the index of the message. `None` never responds.
type ResponsePolicy = Arc<dyn Fn(usize) -> Option<StatusCode> + Send + Sync>;

/// HTTP server that stands for a webhook receiver.
struct Receiver {
    url: String,
    received: mpsc::UnboundedReceiver<ReceivedPost>,
}

#[derive(Clone)]
struct ReceiverState {
    sender: mpsc::UnboundedSender<ReceivedPost>,
    responses: ResponsePolicy,
    count: Arc<std::sync::atomic::AtomicUsize>,
}

impl Receiver {
    async fn new(responses: impl Fn(usize) -> Option<StatusCode> + Send + Sync + 'static) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let state = ReceiverState { sender, responses: Arc::new(responses), count: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?pass=in-the-address", listener.local_addr().unwrap());
        let routes = Router::new().route("/hook", post(receive_post)).with_state(state);
        #[expect(clippy::disallowed_methods, reason = "plays a system outside")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Receiver { url, received }
    }

    async fn next(&mut self) -> ReceivedPost {
        let next = tokio::time::timeout(Duration::from_secs(30), self.received.recv());
        next.await.expect("a message").expect("a receiver")
    }

    fn hook(&self, events: &[&str]) -> WebhookEndpoint {
        WebhookEndpoint {
            url: self.url.parse().unwrap(),
            secrets: vec![SecretText::new(SIGNING_SECRET)],
            events: events.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Handles a post. Without a status it never responds.
async fn receive_post(
    State(state): State<ReceiverState>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signature = header("paihao-signature");
    let id = header("paihao-event-id");
    let standard = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    let body = String::from_utf8(body.to_vec()).unwrap();
    let _ = state.sender.send(ReceivedPost { signature, id, standard, body });
    let count = state.count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    match (state.responses)(count) {
        Some(StatusCode::TEMPORARY_REDIRECT) => Redirect::temporary("/hook").into_response(),
        Some(status) => status.into_response(),
        None => std::future::pending().await,
    }
}

const SIGNING_SECRET: &str = "the-secret-of-the-tests-alone";

/// HMAC-SHA256 by its definition, independent of the implementation under test.
fn hmac(key: &str, message: &[u8]) -> String {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize())
}

/// Private targets that allow the receivers of these tests.
fn this_machine() -> PrivateTargets {
    PrivateTargets::parse(["127.0.0.1"]).unwrap()
}

struct TestEnv {
    ledger: Arc<SqliteLedger>,
    cache: Arc<MemoryCache>,
    clock: ManualClock,
    tasks: Tasks,
    _folder: TempDir,
}

impl TestEnv {
    fn new() -> TestEnv {
        let clock = ManualClock::at(START_MS);
        let folder = tempfile::tempdir().unwrap();
        let time = clock.clone();
        let options = SqliteOptions::new(Arc::new(move || time.now_ms()));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        let (ledger, cache) = (Arc::new(ledger), Arc::new(MemoryCache::default()));
        TestEnv { ledger, cache, clock, tasks: Tasks::new(), _folder: folder }
    }

    fn start(&self, hooks: impl IntoIterator<Item = (&'static str, WebhookEndpoint)>) {
        self.start_with_targets(this_machine(), hooks);
    }

    fn start_with_targets(
        &self,
        private_targets: PrivateTargets,
        hooks: impl IntoIterator<Item = (&'static str, WebhookEndpoint)>,
    ) {
        let hooks: BTreeMap<Arc<str>, WebhookEndpoint> =
            hooks.into_iter().map(|(name, hook)| (name.into(), hook)).collect();
        let settings = Settings { in_flight: 2, private_targets, endpoints: hooks };
        let (ledger, cache) = (self.ledger.clone(), self.cache.clone());
        start(settings, ledger, cache, Arc::new(self.clock.clone()), &self.tasks).unwrap();
    }

    /// Appends a commit in which a ticket is taken.
    async fn append_commit(&self, ticket: u32) {
        // The stored form of version 1, which stays readable.
        let commit = json!({
            "v": 1,
            "site": {"account": "shop", "id": "hall", "name": "大厅", "zone": "Asia/Shanghai"},
            "decisions": [{
                "command": "00".repeat(16), "fingerprint": "00".repeat(8), "at": self.clock.now_ms(),
                "outcome": {"outcome": "counter_open", "counter": "1"},
                "events": [
                    {"event": "ticket_taken", "ticket": ticket, "queue": "cash",
                     "number": {"prefix": "A", "serial": ticket},
                     "person": format!("oPerson{ticket}"),
                     "rank": {"class": 0, "arrival": START_MS, "sequence": ticket}, "told": {"ahead": 0}},
                    {"event": "counter_opened", "counter": "1"},
                ],
            }],
        });
        let entry = Entry::new(commit.to_string());
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        self.ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }

    /// Waits for the next message while the clock advances in these steps.
    async fn next_after_steps(&self, receiver: &mut Receiver, step: Duration) -> ReceivedPost {
        for _ in 0..60 {
            let next = tokio::time::timeout(Duration::from_millis(1_500), receiver.received.recv());
            if let Ok(post) = next.await {
                return post.expect("a receiver");
            }
            self.clock.advance(step);
        }
        panic!("it is not sent again")
    }

    async fn wait_for_dead_letter(&self) -> StoredEntry {
        self.wait_for_dead_letters(1).await.remove(0)
    }

    async fn wait_for_dead_letters(&self, count: usize) -> Vec<StoredEntry> {
        let dead_letters = self.ledger.follow(&DEAD_LETTERS, Position::START).await.unwrap();
        let entries = dead_letters.filter_map(async |item| match item {
            LogItem::Entry(entry) => Some(entry),
            _ => None,
        });
        let found = entries.take(count).collect::<Vec<_>>();
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("dead letters in time")
    }

    /// Recent deliveries as gateways read them.
    async fn shared_deliveries(&self, hook: &str) -> WebhookDeliveries {
        let stored = self.cache.get(&webhook_deliveries_key(hook)).await.unwrap();
        stored.map_or_else(WebhookDeliveries::default, |stored| decode(&stored).unwrap())
    }
}

#[tokio::test]
async fn a_webhook_gets_its_event_types_signed_and_without_an_openid() {
    let env = TestEnv::new();
    let mut subscribed_to_all = Receiver::new(|_| Some(StatusCode::OK)).await;
    let mut subscribed_to_one = Receiver::new(|_| Some(StatusCode::ACCEPTED)).await;
    let mut other = Receiver::new(|_| Some(StatusCode::OK)).await;
    let mut changing = subscribed_to_one.hook(&["counter_opened"]);
    changing.secrets.insert(0, SecretText::new("the-new-one"));
    env.start([
        ("hall/all", subscribed_to_all.hook(&PublicEventKind::TYPES)),
        ("hall/some", changing),
        ("hall-2/other", other.hook(&PublicEventKind::TYPES)),
    ]);
    env.append_commit(17).await;
    let mut posts = [subscribed_to_all.next().await, subscribed_to_all.next().await];
    posts.sort_by_key(|post| post.id.clone());
    for (index, message) in posts.iter().enumerate() {
        assert_eq!(message.id, format!("1-{index}"));
        assert_eq!(message.event()["id"], *message.id);
        let t = START_MS / 1000;
        let v1 = hmac(SIGNING_SECRET, format!("{t}.{}", message.body).as_bytes());
        assert_eq!(message.signature, format!("t={t},v1={v1}"));
        let [id, time, standard] = &message.standard;
        assert_eq!((id, time), (&message.id, &t.to_string()));
        let signed = hmac(SIGNING_SECRET, format!("{id}.{t}.{}", message.body).as_bytes());
        let in_base64 = STANDARD.encode(hex::decode(signed).unwrap());
        assert_eq!(*standard, format!("v1,{in_base64}"));
        assert!(!message.body.contains("oPerson"), "{message:?}");
    }
    assert_eq!(posts[0].event()["number"], "A017");
    // During a change of the secret, both secrets sign.
    let message = subscribed_to_one.next().await;
    assert_eq!(message.event()["type"], "counter_opened");
    let signed = format!("{}.{}", START_MS / 1000, message.body);
    let new = hmac("the-new-one", signed.as_bytes());
    let old = hmac(SIGNING_SECRET, signed.as_bytes());
    assert!(message.signature.ends_with(&format!(",v1={new},v1={old}")), "{message:?}");
    env.tasks.stop_and_wait().await;
    for receiver in [&mut subscribed_to_all, &mut subscribed_to_one] {
        assert!(receiver.received.try_recv().is_err(), "sent twice");
    }
    assert!(other.received.try_recv().is_err(), "sent an event of another site");
}

#[tokio::test]
async fn a_failed_message_is_resent_unchanged_but_for_its_time() {
    let mut env = TestEnv::new();
    let failing = |count: usize| {
        Some(
            [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND, StatusCode::OK]
                [count.min(2)],
        )
    };
    let mut receiver = Receiver::new(failing).await;
    env.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    env.append_commit(1).await;
    let mut previous = receiver.next().await;
    for _ in 0..2 {
        let resent = env.next_after_steps(&mut receiver, Duration::from_secs(3)).await;
        assert_eq!((&resent.id, &resent.body), (&previous.id, &previous.body));
        assert!(
            resent.signed_at() - previous.signed_at() >= 3,
            "sent again at once: {previous:?} {resent:?}"
        );
        previous = resent;
    }
    env.append_commit(2).await;
    assert_eq!(receiver.next().await.event()["number"], "A002");
    // A later notifier has nothing left to send.
    env.tasks.stop_and_wait().await;
    env.clock.advance(Duration::from_secs(7200));
    env.tasks = Tasks::new();
    env.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    env.append_commit(3).await;
    assert_eq!(receiver.next().await.event()["number"], "A003", "taken ones are not sent again");
}

#[tokio::test]
async fn a_message_that_fails_for_a_day_becomes_a_dead_letter() {
    let env = TestEnv::new();
    let mut receiver = Receiver::new(|_| Some(StatusCode::TEMPORARY_REDIRECT)).await;
    env.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    env.append_commit(1).await;
    for hours in [0, 10, 10, 10] {
        env.next_after_steps(&mut receiver, Duration::from_secs(hours * 3600)).await;
    }
    let dead_letter = env.wait_for_dead_letter().await;
    let reason = dead_letter.entry.header(REASON_HEADER).unwrap();
    assert_eq!(reason, "not taken for 24 hours: answered 307; redirects are not followed");
    let debug_text = format!("{dead_letter:?}");
    for hidden in [SIGNING_SECRET, "in-the-address", "oPerson"] {
        assert!(!debug_text.contains(hidden), "{hidden} stands in {debug_text}");
    }
    assert!(receiver.received.try_recv().is_err(), "a redirect was followed");
}

#[tokio::test]
async fn nothing_is_sent_into_a_private_network_that_is_not_named() {
    for name in ["127.0.0.1", "localhost"] {
        let env = TestEnv::new();
        let mut receiver = Receiver::new(|_| Some(StatusCode::OK)).await;
        let mut hook = receiver.hook(&["ticket_taken"]);
        hook.url.set_host(Some(name)).unwrap();
        let elsewhere = PrivateTargets::parse(["10.0.0.0/8"]).unwrap();
        env.start_with_targets(elsewhere, [("hall/crm", hook)]);
        env.append_commit(1).await;
        let mut dead_letter = pin!(env.wait_for_dead_letter());
        let dead_letter = loop {
            tokio::select! {
                letter = &mut dead_letter => break letter,
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    env.clock.advance(Duration::from_secs(3600));
                }
            }
        };
        let reason = dead_letter.entry.header(REASON_HEADER).unwrap();
        let expected = "not taken for 24 hours: it is in a private network that the configuration does not name";
        assert_eq!(reason, expected, "{name}");
        assert!(receiver.received.try_recv().is_err(), "{name}: it was sent");
    }
}

#[tokio::test]
async fn a_webhook_that_fails_for_days_is_paused_until_an_attempt_succeeds() {
    let env = TestEnv::new();
    let works = Arc::new(AtomicBool::new(false));
    let status = {
        let works = works.clone();
        move |_| Some(if works.load(SeqCst) { StatusCode::OK } else { StatusCode::BAD_GATEWAY })
    };
    let mut receiver = Receiver::new(status).await;
    env.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    for ticket in 0..3 {
        env.append_commit(ticket).await;
        for hours in [0, 10, 20] {
            env.next_after_steps(&mut receiver, Duration::from_secs(hours * 3600)).await;
        }
    }
    let day_by_day = env.wait_for_dead_letters(3).await;
    for letter in &day_by_day {
        let reason = letter.entry.header(REASON_HEADER).unwrap();
        assert_eq!(reason, "not taken for 24 hours: answered 502");
    }

    // The attempt of the hour, and one that is not made.
    env.clock.advance(Duration::from_secs(3600));
    env.append_commit(3).await;
    assert_eq!(receiver.next().await.event()["ticket"], 3);
    env.append_commit(4).await;
    let paused = env.wait_for_dead_letters(4).await.remove(3);
    let reason = paused.entry.header(REASON_HEADER).unwrap();
    assert_eq!(reason, "the webhook is paused: it has failed for days");
    assert!(receiver.received.try_recv().is_err(), "it was sent to a webhook that is paused");
    let is_shared = async || {
        let shared = env.shared_deliveries("hall/crm").await;
        shared.paused_since(env.clock.now_ms()).is_some()
    };
    wait_until("the other replicas know of it", is_shared).await;

    // The message that was tried an hour ago is tried again.
    works.store(true, SeqCst);
    env.clock.advance(Duration::from_secs(3600));
    assert_eq!(receiver.next().await.event()["ticket"], 3);
    let is_over = async || {
        let shared = env.shared_deliveries("hall/crm").await;
        shared.failing_since.is_none() && shared.deliveries.last().unwrap().status == Some(200)
    };
    wait_until("the other replicas know of its end", is_over).await;
    for ticket in [5, 6, 7] {
        env.append_commit(ticket).await;
        assert_eq!(receiver.next().await.event()["ticket"], ticket);
    }
}

#[tokio::test]
async fn a_test_is_sent_once_whatever_the_webhook_subscribes_to() {
    let env = TestEnv::new();
    let mut receiver = Receiver::new(|_| Some(StatusCode::IM_A_TEAPOT)).await;
    env.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    let event = PublicEvent {
        v: PUBLIC_VERSION,
        id: EventId { position: 0, index: 7 },
        site: "hall".into(),
        at: START_MS,
        kind: PublicEventKind::WebhookTest {},
        replay: false,
    };
    let message = WebhookMessage { v: 1, hook: "hall/crm".into(), since: START_MS, event };
    let entry = Entry::new(message.encode());
    env.ledger.enqueue(&WEBHOOKS, &message.key(), entry, Duration::ZERO).await.unwrap();
    assert_eq!(receiver.next().await.event()["type"], "webhook_test");
    let is_logged = async || {
        let shared = env.shared_deliveries("hall/crm").await;
        shared.deliveries.iter().any(|it| it.status == Some(418) && it.kind == "webhook_test")
    };
    wait_until("it is in the log", is_logged).await;
    env.clock.advance(Duration::from_secs(25 * 3600));
    env.append_commit(1).await;
    assert_eq!(receiver.next().await.event()["type"], "ticket_taken", "no second test");
}

#[tokio::test]
async fn a_hanging_and_a_missing_receiver_delay_no_other() {
    let env = TestEnv::new();
    let mut stuck = Receiver::new(|_| None).await;
    let mut healthy = Receiver::new(|_| Some(StatusCode::NO_CONTENT)).await;
    let unreachable = WebhookEndpoint {
        url: "http://127.0.0.1:1/".parse().unwrap(),
        ..healthy.hook(&["ticket_taken"])
    };
    env.start([
        ("hall/a-stuck", stuck.hook(&["ticket_taken"])),
        ("hall/b-gone", unreachable),
        ("hall/c-fine", healthy.hook(&["ticket_taken"])),
    ]);
    for ticket in 0..60 {
        env.append_commit(ticket).await;
        env.clock.advance(Duration::from_millis(50));
    }
    let begun = Instant::now();
    let mut delivered = Vec::new();
    for _ in 0..60 {
        // One that found no permit waits by this clock.
        let post = env.next_after_steps(&mut healthy, Duration::from_secs(1)).await;
        delivered.push(post.event()["ticket"].as_u64().unwrap());
        env.clock.advance(Duration::from_secs(1));
    }
    delivered.sort_unstable();
    assert_eq!(delivered, (0..60).collect::<Vec<_>>());
    // Its two permits are held for the ten seconds of an attempt.
    let attempts = 1 + begun.elapsed().as_secs() / 10;
    let mut posts = 0;
    while stuck.received.try_recv().is_ok() {
        posts += 1;
    }
    assert!(posts >= 2 && posts <= 2 * attempts, "{posts} posts in {attempts} times ten seconds");
}
