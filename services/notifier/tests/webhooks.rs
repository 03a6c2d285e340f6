//! The owner's other systems are told: signed, once as a rule, and again until they have taken it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use futures::StreamExt;
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_chassis::config::SecretText;
use paihao_contracts::public_event::PublicEventKind;
use paihao_contracts::streams::{DEAD_LETTERS, LEDGER};
use paihao_ledger::dead_letter::REASON_HEADER;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_notifier::webhooks::{Hook, Settings, start};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const NOW: i64 = 1_795_384_474_775;

/// One message as a receiver got it.
#[derive(Debug)]
struct Got {
    signature: String,
    id: String,
    body: String,
}

impl Got {
    /// When it was signed, in Unix seconds.
    fn at(&self) -> i64 {
        let t = self.signature.strip_prefix("t=").unwrap().split_once(',').unwrap().0;
        t.parse().unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What a receiver answers to the so-manieth message.
type Manners = Arc<dyn Fn(usize) -> Option<StatusCode> + Send + Sync>;

/// A system of the owner's.
struct Receiver {
    url: String,
    got: mpsc::UnboundedReceiver<Got>,
}

#[derive(Clone)]
struct Behind {
    told: mpsc::UnboundedSender<Got>,
    manners: Manners,
    count: Arc<std::sync::atomic::AtomicUsize>,
}

impl Receiver {
    async fn new(manners: impl Fn(usize) -> Option<StatusCode> + Send + Sync + 'static) -> Self {
        let (told, got) = mpsc::unbounded_channel();
        let behind = Behind { told, manners: Arc::new(manners), count: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?pass=in-the-address", listener.local_addr().unwrap());
        let routes = Router::new().route("/hook", post(take)).with_state(behind);
        #[expect(clippy::disallowed_methods, reason = "plays a system outside")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Receiver { url, got }
    }

    async fn next(&mut self) -> Got {
        let next = tokio::time::timeout(Duration::from_secs(30), self.got.recv());
        next.await.expect("a message").expect("a receiver")
    }

    fn hook(&self, events: &[&str]) -> Hook {
        Hook {
            url: self.url.parse().unwrap(),
            secrets: vec![SecretText::new(SECRET)],
            events: events.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Takes a message; without a status it never answers.
async fn take(State(behind): State<Behind>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (signature, id) = (header("paihao-signature"), header("paihao-event-id"));
    let body = String::from_utf8(body.to_vec()).unwrap();
    let _ = behind.told.send(Got { signature, id, body });
    let count = behind.count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    match (behind.manners)(count) {
        Some(StatusCode::TEMPORARY_REDIRECT) => Redirect::temporary("/hook").into_response(),
        Some(status) => status.into_response(),
        None => std::future::pending().await,
    }
}

const SECRET: &str = "the-secret-of-the-tests-alone";

/// HMAC by its definition, apart from the one that signs.
fn hmac(key: &str, message: &[u8]) -> String {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize())
}

struct World {
    ledger: Arc<SqliteLedger>,
    clock: ManualClock,
    tasks: Tasks,
    _folder: TempDir,
}

impl World {
    fn new() -> World {
        let clock = ManualClock::at(NOW);
        let folder = tempfile::tempdir().unwrap();
        let time = clock.clone();
        let options = SqliteOptions::new(Arc::new(move || time.now_ms()));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        World { ledger: Arc::new(ledger), clock, tasks: Tasks::new(), _folder: folder }
    }

    fn start(&self, hooks: impl IntoIterator<Item = (&'static str, Hook)>) {
        let hooks: BTreeMap<Arc<str>, Hook> =
            hooks.into_iter().map(|(name, hook)| (name.into(), hook)).collect();
        let settings = Settings { in_flight: 2, hooks };
        start(settings, self.ledger.clone(), Arc::new(self.clock.clone()), &self.tasks).unwrap();
    }

    /// Somebody takes a number.
    async fn take(&self, ticket: u32) {
        // As version 1 wrote it; what was stored once is read for ever.
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
                     "rank": {"class": 0, "arrival": NOW, "sequence": ticket}, "told": {"ahead": 0}},
                    {"event": "counter_opened", "counter": "1"},
                ],
            }],
        });
        let entry = Entry::new(commit.to_string());
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        self.ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }

    /// The next message, while the time goes on by such steps.
    async fn later(&self, receiver: &mut Receiver, step: Duration) -> Got {
        for _ in 0..60 {
            let next = tokio::time::timeout(Duration::from_millis(1_500), receiver.got.recv());
            if let Ok(got) = next.await {
                return got.expect("a receiver");
            }
            self.clock.advance(step);
        }
        panic!("it is not sent again")
    }

    async fn dead_letter(&self) -> StoredEntry {
        let mut letters = self.ledger.follow(&DEAD_LETTERS, Position::START).await.unwrap();
        let letter = tokio::time::timeout(Duration::from_secs(30), letters.next()).await;
        let Ok(Some(LogItem::Entry(letter))) = letter else { panic!("{letter:?}") };
        letter
    }
}

#[tokio::test]
async fn each_is_told_what_it_wants_to_know_signed_and_without_a_name() {
    let world = World::new();
    let (mut all, mut some) = (
        Receiver::new(|_| Some(StatusCode::OK)).await,
        Receiver::new(|_| Some(StatusCode::ACCEPTED)).await,
    );
    let mut other = Receiver::new(|_| Some(StatusCode::OK)).await;
    let mut changing = some.hook(&["counter_opened"]);
    changing.secrets.insert(0, SecretText::new("the-new-one"));
    world.start([
        ("hall/all", all.hook(&PublicEventKind::TYPES)),
        ("hall/some", changing),
        ("hall-2/other", other.hook(&PublicEventKind::TYPES)),
    ]);
    world.take(17).await;
    let mut got = [all.next().await, all.next().await];
    got.sort_by_key(|got| got.id.clone());
    for (index, message) in got.iter().enumerate() {
        assert_eq!(message.id, format!("1-{index}"));
        assert_eq!(message.event()["id"], *message.id);
        let t = NOW / 1000;
        let v1 = hmac(SECRET, format!("{t}.{}", message.body).as_bytes());
        assert_eq!(message.signature, format!("t={t},v1={v1}"));
        assert!(!message.body.contains("oPerson"), "{message:?}");
    }
    assert_eq!(got[0].event()["number"], "A017");
    // While a secret is being changed, both sign.
    let message = some.next().await;
    assert_eq!(message.event()["type"], "counter_opened");
    let signed = format!("{}.{}", NOW / 1000, message.body);
    let (new, former) = (hmac("the-new-one", signed.as_bytes()), hmac(SECRET, signed.as_bytes()));
    assert!(message.signature.ends_with(&format!(",v1={new},v1={former}")), "{message:?}");
    world.tasks.stop_and_wait().await;
    assert!(all.got.try_recv().is_err() && some.got.try_recv().is_err(), "told twice");
    assert!(other.got.try_recv().is_err(), "told of another site");
}

#[tokio::test]
async fn what_fails_is_sent_again_later_the_same_but_for_its_time() {
    let mut world = World::new();
    let failing = |count: usize| {
        Some(
            [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND, StatusCode::OK]
                [count.min(2)],
        )
    };
    let mut receiver = Receiver::new(failing).await;
    world.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    world.take(1).await;
    let mut last = receiver.next().await;
    for _ in 0..2 {
        let again = world.later(&mut receiver, Duration::from_secs(1)).await;
        assert_eq!((&again.id, &again.body), (&last.id, &last.body));
        assert!(again.at() - last.at() >= 3, "sent again at once: {last:?} {again:?}");
        last = again;
    }
    world.take(2).await;
    assert_eq!(receiver.next().await.event()["number"], "A002");
    // Another notifier, later, has nothing left to send.
    world.tasks.stop_and_wait().await;
    world.clock.advance(Duration::from_secs(7200));
    world.tasks = Tasks::new();
    world.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    world.take(3).await;
    assert_eq!(receiver.next().await.event()["number"], "A003", "taken ones are not sent again");
}

#[tokio::test]
async fn what_is_not_taken_for_a_day_is_kept_where_somebody_looks() {
    let world = World::new();
    let mut receiver = Receiver::new(|_| Some(StatusCode::TEMPORARY_REDIRECT)).await;
    world.start([("hall/crm", receiver.hook(&["ticket_taken"]))]);
    world.take(1).await;
    for hours in [0, 10, 10, 10] {
        world.later(&mut receiver, Duration::from_secs(hours * 3600)).await;
    }
    let letter = world.dead_letter().await;
    let reason = letter.entry.header(REASON_HEADER).unwrap();
    assert_eq!(reason, "not taken for 24 hours: answered 307; redirects are not followed");
    let whole = format!("{letter:?}");
    for hidden in [SECRET, "in-the-address", "oPerson"] {
        assert!(!whole.contains(hidden), "{hidden} stands in {whole}");
    }
    assert!(receiver.got.try_recv().is_err(), "a redirect was followed");
}

#[tokio::test]
async fn a_receiver_that_hangs_and_one_that_is_gone_slow_nobody_else() {
    let world = World::new();
    let (mut stuck, mut fine) =
        (Receiver::new(|_| None).await, Receiver::new(|_| Some(StatusCode::NO_CONTENT)).await);
    let gone = Hook { url: "http://127.0.0.1:1/".parse().unwrap(), ..fine.hook(&["ticket_taken"]) };
    world.start([
        ("hall/a-stuck", stuck.hook(&["ticket_taken"])),
        ("hall/b-gone", gone),
        ("hall/c-fine", fine.hook(&["ticket_taken"])),
    ]);
    for ticket in 0..60 {
        world.take(ticket).await;
        world.clock.advance(Duration::from_millis(50));
    }
    let mut told = Vec::new();
    for _ in 0..60 {
        told.push(fine.next().await.event()["ticket"].as_u64().unwrap());
        world.clock.advance(Duration::from_secs(1));
    }
    told.sort_unstable();
    assert_eq!(told, (0..60).collect::<Vec<_>>());
    // Nothing waited for the ten seconds that an attempt may take: there was no second one.
    for _ in 0..2 {
        stuck.next().await;
    }
    assert!(stuck.got.try_recv().is_err(), "more than its two places");
}
