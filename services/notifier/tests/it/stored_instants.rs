//! Tests of instants that a wrong clock has stored: whatever they are, each message comes to its
//! end in a bounded time.

use crate::support::{
    CUSTOM_SEND_PATH, START_MS, TEMPLATE_SEND_PATH, TestEnv, delivery, open_id, person_tag,
    policy_for, window_key,
};
use bytes::Bytes;
use paihao_cache::MemoryCache;
use paihao_chassis::clock::ManualClock;
use paihao_contracts::notice::{Channel, Notice};
use paihao_contracts::outcome::{AttemptAnnounced, OutcomeRecord};
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use paihao_contracts::send_window::SendWindowKind;
use paihao_contracts::streams::{
    OUTCOMES, RECEIPTS, WEBHOOKS, former_lease_key, planned_order_key,
};
use paihao_contracts::ticket_record::{Claim, OpenNotice, TicketNotices, TicketRecord};
use paihao_contracts::webhook::WebhookMessage;
use paihao_ledger::{Disposition, Entry, ExpectedPosition, Handler, Ledger, Message, Subject};
use paihao_notifier::Ports;
use paihao_notifier::planning::plan::plan;
use paihao_notifier::webhooks::{Settings, WebhookEndpoint, sender};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::Fault;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Most deliveries of a message. One that needs more never ends.
const MAX_DELIVERIES: u64 = 1000;

/// Instants that wrong clocks store.
fn instants() -> Vec<i64> {
    let ahead = [5_000, 45_000, 120_000, 3_600_000, 400 * 86_400_000];
    let odd = [i64::MIN, 0, START_MS - 400 * 86_400_000, i64::MAX];
    ahead.into_iter().map(|ms| START_MS + ms).chain(odd).collect()
}

/// Stored fields in which the delivery of a notice finds an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InstantField {
    /// End of a turn of a former version.
    FormerTurn,
    /// End of a lease of a former version.
    FormerLease,
    /// Announcement by a former version.
    FormerAnnouncement,
    /// End of a claim on the notice.
    Claim,
    /// End of a claim on an earlier notice of the ticket.
    EarlierClaim,
    /// First attempt of a notice that WeChat refuses again and again.
    FirstAttempt,
    /// End of a send window.
    Window,
}

const PLACES: [InstantField; 7] = [
    InstantField::FormerTurn,
    InstantField::FormerLease,
    InstantField::FormerAnnouncement,
    InstantField::Claim,
    InstantField::EarlierClaim,
    InstantField::FirstAttempt,
    InstantField::Window,
];

/// Plays the queue of a worker until the message is settled. Returns the time that it took.
async fn play<M: Message + Clone>(
    worker: &impl Handler<Message = M>,
    (queue, message, payload): (&str, M, Vec<u8>),
    clock: &ManualClock,
) -> Duration {
    let mut taken = Duration::ZERO;
    for attempt in 1..=MAX_DELIVERIES {
        let mut delivery = delivery(queue, payload.clone());
        delivery.attempt = attempt;
        match worker.handle(message.clone(), &delivery).await.unwrap() {
            Disposition::RetryAfter(delay) => {
                let delay = delay.max(Duration::from_millis(1));
                clock.advance(delay);
                taken += delay;
            }
            Disposition::Ack | Disposition::DeadLetter(_) => return taken,
        }
    }
    panic!("{queue}: it never ends, after {taken:?}");
}

/// Stores what the delivery of a ticket's notice finds, with an instant at this place.
async fn store(env: &TestEnv, place: InstantField, ticket: u32, channel: Channel, instant: i64) {
    let prefix = format!("hall/20780/{ticket}");
    let put = async |key: &str, value: Value| {
        env.cache.put(key, Bytes::from(value.to_string()), HOUR).await.unwrap();
    };
    let former_order = |turn: Value| json!({ "newest": 1, "open": [], "turn": turn });
    let append = async |name: String, record: Vec<u8>| {
        let hash = hex::encode(&Sha256::digest(name)[..16]);
        let subject = Subject::new(&["shop", &hash]).unwrap();
        let expect = ExpectedPosition::Empty;
        env.ledger.append(&OUTCOMES, &subject, expect, Entry::new(record)).await.unwrap();
    };
    let announced = |key: String, at| {
        OutcomeRecord::Attempt(AttemptAnnounced {
            v: 1,
            key,
            channel,
            at,
            earlier_attempts: vec![],
        })
    };
    let opened = |call: u32, claim: Option<i64>, first_attempt_at| {
        let open = OpenNotice {
            name: format!("called#{call}"),
            order: call,
            first_attempt_at,
            attempts: 1,
            channel: claim.map(|_| channel),
            claim: claim.map(|until| Claim { id: "c".into(), until, questioned: false }),
            ..OpenNotice::default()
        };
        let record = announced(format!("{prefix}/called#{call}"), START_MS);
        let ticket = TicketNotices { newest: call, open: vec![open], ..TicketNotices::default() };
        serde_json::to_vec(&TicketRecord { record, ticket }).unwrap()
    };
    let of_ticket = format!("ticket/{prefix}");
    match place {
        InstantField::FormerTurn => {
            let turn = json!({ "order": 1, "until": instant });
            put(&planned_order_key(&prefix), former_order(turn)).await;
        }
        InstantField::FormerLease => {
            put(&planned_order_key(&prefix), former_order(Value::Null)).await;
            let lease = json!({
                "first": START_MS, "attempts": 1, "held_until": instant, "unsure": false,
                "last": "busy", "channel": channel, "tried": [],
            });
            put(&former_lease_key(&format!("{prefix}/called#2")), lease).await;
        }
        InstantField::FormerAnnouncement => {
            let key = format!("{prefix}/called#2");
            append(key.clone(), serde_json::to_vec(&announced(key, instant)).unwrap()).await;
        }
        InstantField::Claim => append(of_ticket, opened(2, Some(instant), START_MS)).await,
        InstantField::EarlierClaim => append(of_ticket, opened(1, Some(instant), START_MS)).await,
        InstantField::FirstAttempt => {
            append(of_ticket, opened(2, None, instant)).await;
            for path in [TEMPLATE_SEND_PATH, CUSTOM_SEND_PATH] {
                let person = format!("\"{}\"", open_id(ticket));
                env.wechat.add_fault(Fault::errcode(path, -1).containing(&person));
            }
        }
        InstantField::Window => {
            let window = json!({ "v": 1, "until": instant, "left": 3 });
            put(&window_key(ticket, SendWindowKind::Message), window).await;
        }
    }
}

#[tokio::test]
async fn no_stored_instant_keeps_a_notice_from_its_end() {
    for channel in [Channel::Template, Channel::CustomerService] {
        let env = TestEnv::new().await;
        let handlers = env.handlers(policy_for(&[channel]), 64);
        let cases =
            PLACES.into_iter().flat_map(|place| instants().into_iter().map(move |at| (place, at)));
        for (ticket, (place, instant)) in (1..).zip(cases) {
            env.add_followers(ticket..ticket + 1);
            env.person_writes(ticket).await;
            store(&env, place, ticket, channel, instant).await;
            let clock = ManualClock::at(START_MS);
            let ports = Ports { clock: Arc::new(clock.clone()), ..env.ports(env.ledger.clone()) };
            let worker = handlers.delivery(ports);
            let commit = env.commit("shop", vec![env.call_event(ticket, 2)]);
            let valid_until = START_MS + 24 * HOUR.as_millis() as i64;
            let notice = Notice { valid_until, ..plan(&commit).remove(0) };
            let payload = serde_json::to_vec(&notice).unwrap();
            let taken = play(&worker, ("notices", notice.clone(), payload), &clock).await;
            let case = format!("{channel:?}, {place:?} at {instant}");
            assert!(taken < 15 * MINUTE, "{case}: {taken:?}");
            let ends = env.ended_outcomes().await.into_iter().filter(|end| end.key == notice.key);
            assert_eq!(ends.count(), 1, "{case}");
            assert!(env.wechat.messages(&open_id(ticket)).len() <= 1, "{case}");
        }
    }
}

#[tokio::test]
async fn no_stored_instant_keeps_a_receipt_or_a_webhook_message_from_its_end() {
    let env = TestEnv::new().await;
    let handlers = env.handlers(policy_for(&[Channel::Template]), 64);
    for instant in instants() {
        let clock = ManualClock::at(START_MS);
        let ports = Ports { clock: Arc::new(clock.clone()), ..env.ports(env.ledger.clone()) };
        // A receipt of no message.
        let receipt = Receipt {
            v: 1,
            account: "shop".into(),
            person: person_tag(1),
            channel: Channel::Template,
            template: None,
            message_id: Some(7),
            receipt: ReceiptStatus::Delivered,
            status_text: "success".into(),
            created_s: START_MS / 1000,
            received_at: instant,
            identity: "r".into(),
        };
        let payload = serde_json::to_vec(&receipt).unwrap();
        let played = (RECEIPTS.name, receipt, payload);
        let taken = play(&handlers.receipts(ports), played, &clock).await;
        assert!(taken < 30 * MINUTE, "receipt of {instant}: {taken:?}");

        // A webhook that nobody listens to.
        let stored =
            include_str!("../../../../shared/contracts/tests/fixtures/webhook-message-v1.jsonl");
        let message: WebhookMessage = serde_json::from_str(stored.lines().next().unwrap()).unwrap();
        let message = WebhookMessage { since: instant, ..message };
        let endpoint = WebhookEndpoint {
            url: "http://127.0.0.1:9/".parse().unwrap(),
            secrets: Vec::new(),
            events: Default::default(),
        };
        let endpoints = [(message.hook.clone(), endpoint)].into();
        let settings = Settings { in_flight: 1, endpoints, ..Settings::default() };
        let clock = ManualClock::at(START_MS);
        let worker =
            sender(settings, Arc::new(MemoryCache::default()), Arc::new(clock.clone())).unwrap();
        let payload = message.encode();
        let taken = play(&worker, (WEBHOOKS.name, message, payload), &clock).await;
        assert!(taken < 36 * HOUR, "webhook message of {instant}: {taken:?}");
    }
}
