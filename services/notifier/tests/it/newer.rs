//! Tests of a notifier beside a newer program: what that one wrote is left to it, whole.

use crate::support::{TestEnv, binding, notice_key, open_id, person_tag, policy_for, window_key};
use bytes::Bytes;
use paihao_chassis::config::SecretText;
use paihao_contracts::commit::COMMIT_VERSION;
use paihao_contracts::dead_letter::{DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT};
use paihao_contracts::notice::Channel;
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use paihao_contracts::send_window::SendWindowKind;
use paihao_contracts::streams::{
    CONSUMERS, Consumer, DEAD_LETTERS, ERASURES, HISTORY, LEDGER, Log, NOTICES, OUTCOMES, PLANNER,
    RECEIPTS, REDRIVER, REFUSED_TOKENS, SETTINGS, UNFOLLOW_FINDER, WEBHOOKS, WORK_QUEUES,
    WorkQueue, former_lease_key, planned_order_key, sent_index_key,
};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_notifier::NoticePolicy;
use paihao_notifier::webhooks::{self, WebhookEndpoint};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use wechat_sim::SimTemplate;

const COMMITS: &str = include_str!("../../../../shared/contracts/tests/fixtures/commit-v3.jsonl");
const RESOLUTIONS: &str =
    include_str!("../../../../shared/contracts/tests/fixtures/letter-handled-v1.jsonl");
const NOTICE_FIXTURES: &str =
    include_str!("../../../../shared/contracts/tests/fixtures/notice-v1-more.jsonl");
const RECEIPT_FIXTURES: &str =
    include_str!("../../../../shared/contracts/tests/fixtures/receipt-v1.jsonl");
const WEBHOOK_FIXTURES: &str =
    include_str!("../../../../shared/contracts/tests/fixtures/webhook-message-v1.jsonl");

/// Value of a newer program, of which nothing but the version is known here.
const WONDERS: &str = r#"{"v":99,"wonders":["gilded"]}"#;

/// Message of the known version about an event of a type that is not known here.
const UNKNOWN_TYPE: &str = r#"{"v":1,"hook":"hall/x","since":1,"event":
    {"v":1,"id":"9-0","site":"hall","at":1,"type":"ticket_gilded","ticket":1}}"#;

/// Time in which the older program meets each message more than once.
const OLD_ALONE: Duration = Duration::from_millis(2_500);

/// Values that a newer program may write in place of these: with a member more, with members of
/// other types, and with other members only.
fn successors(fixtures: &str, version: u32) -> Vec<String> {
    let gilded = |name: &String| (name.clone(), json!({ "gilded": [name] }));
    let variants = |line: &str| {
        let members: Map<String, Value> = serde_json::from_str(line).unwrap();
        let mut more = members.clone();
        more.insert("wonders".to_owned(), json!([{ "v": 1 }]));
        let changed: Map<_, _> = members.keys().map(gilded).collect();
        [more, changed, Map::from_iter([gilded(&"wonders".to_owned())])]
    };
    let values = fixtures.lines().flat_map(variants).enumerate();
    let with_version = |(index, mut members): (usize, Map<String, Value>)| {
        members.insert("v".to_owned(), version.into());
        members.insert("index".to_owned(), index.into());
        Value::from(members).to_string()
    };
    values.map(with_version).collect()
}

/// Source of messages, as a worker joins it.
#[derive(Clone, Copy)]
enum Source {
    Consumer(Log, Consumer),
    Queue(WorkQueue),
}

/// Reads a source as a newer program does, which acknowledges everything. Returns the payloads once
/// it has `count` of them and nothing follows.
async fn read_all(env: &TestEnv, source: Source, count: usize) -> Vec<String> {
    let mut deliveries = match source {
        Source::Consumer(log, consumer) => env.ledger.consume(&log, &consumer, 64).await,
        Source::Queue(queue) => env.ledger.consume_queue(&queue, 64).await,
    }
    .unwrap();
    let mut read = Vec::new();
    loop {
        let patience = if read.len() < count { 45 } else { 2 };
        match timeout(Duration::from_secs(patience), deliveries.next()).await {
            Ok(Some(delivery)) => {
                read.push(String::from_utf8(delivery.message.entry.payload.to_vec()).unwrap());
                delivery.ack().await.unwrap();
            }
            Ok(None) => panic!("a stream ended"),
            Err(_) => break,
        }
    }
    read.sort();
    read
}

async fn append(env: &TestEnv, log: &Log, subject: &[&str], entry: Entry) -> u64 {
    let subject = Subject::new(subject).unwrap();
    env.ledger.append(log, &subject, ExpectedPosition::Any, entry).await.unwrap().0
}

/// Starts every worker of an older program.
fn start_old(env: &TestEnv, policy: NoticePolicy) {
    env.notifier_with_policy(policy, 64);
    let hook = WebhookEndpoint {
        url: "http://127.0.0.1:9/hook".parse().unwrap(),
        secrets: vec![SecretText::new("the-secret-of-the-tests-alone")],
        events: ["day_opened".to_owned()].into(),
    };
    let settings = webhooks::Settings {
        in_flight: 64,
        endpoints: [(Arc::from("hall/x"), hook)].into(),
        ..webhooks::Settings::default()
    };
    let clock = Arc::new(env.clock.clone());
    webhooks::start(settings, env.ledger.clone(), env.cache.clone(), clock, &env.tasks).unwrap();
}

#[tokio::test]
async fn every_message_of_a_newer_program_waits_for_one_that_reads_it() {
    let env = TestEnv::new().await;
    let commits = successors(COMMITS, COMMIT_VERSION + 1);
    let resolutions = successors(RESOLUTIONS, 2);
    for (log, subject, payloads) in
        [(LEDGER, ["shop", "hall"], &commits), (DEAD_LETTERS, [HANDLED_SUBJECT, "1"], &resolutions)]
    {
        for payload in payloads {
            append(&env, &log, &subject, Entry::new(payload.clone())).await;
        }
    }
    let mut queued = [
        (NOTICES, successors(NOTICE_FIXTURES, 2)),
        (RECEIPTS, successors(RECEIPT_FIXTURES, 2)),
        (WEBHOOKS, successors(WEBHOOK_FIXTURES, 2)),
    ];
    let [.., (_, webhooks)] = &mut queued;
    webhooks.push(UNKNOWN_TYPE.to_owned());
    // The token service and the gateways have the others.
    assert_eq!(WORK_QUEUES.len(), queued.len() + [REFUSED_TOKENS, ERASURES].len());
    for (queue, payloads) in &queued {
        for (index, payload) in payloads.iter().enumerate() {
            let (key, entry) = (format!("newer/{index}"), Entry::new(payload.clone()));
            env.ledger.enqueue(queue, &key, entry, Duration::ZERO).await.unwrap();
        }
    }
    let mut sources: Vec<_> = CONSUMERS
        .into_iter()
        .filter(|(_, consumer)| *consumer != UNFOLLOW_FINDER)
        .map(|(log, consumer)| {
            let payloads = if log == LEDGER { &commits } else { &resolutions };
            (Source::Consumer(log, consumer), consumer.name, payloads.clone())
        })
        .collect();
    sources.extend(queued.map(|(queue, payloads)| (Source::Queue(queue), queue.name, payloads)));

    start_old(&env, policy_for(&[Channel::Template]));
    sleep(OLD_ALONE).await;
    assert_eq!(env.log_len(&DEAD_LETTERS).await, resolutions.len(), "nothing is buried");
    for log in [OUTCOMES, HISTORY] {
        assert_eq!(env.log_len(&log).await, 0, "nothing is guessed");
    }
    // The newer program joins, and the older one leaves.
    let reading =
        futures::future::join_all(sources.iter().map(async |(source, name, payloads)| {
            let mut expected = payloads.clone();
            expected.sort();
            assert_eq!(read_all(&env, *source, payloads.len()).await, expected, "{name}");
        }));
    let leaving = async {
        sleep(OLD_ALONE).await;
        env.tasks.stop_and_wait().await;
    };
    tokio::join!(reading, leaving);
    assert_eq!(env.log_len(&DEAD_LETTERS).await, resolutions.len());
}

/// Runs an older program over a message that it can read, and a stored value that it cannot.
/// Nothing is sent, and the message is still there for a newer program.
async fn check_left_alone(
    name: &str,
    policy: NoticePolicy,
    source: Source,
    prepare: impl AsyncFn(&TestEnv),
    send: impl AsyncFn(&TestEnv),
) {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    prepare(&env).await;
    start_old(&env, policy);
    // The settings are read first.
    sleep(Duration::from_millis(300)).await;
    send(&env).await;
    let dead_letters = env.log_len(&DEAD_LETTERS).await;
    sleep(OLD_ALONE).await;
    assert_eq!(env.wechat.messages(&open_id(1)).len(), 0, "{name}: sent");
    assert_eq!(env.log_len(&DEAD_LETTERS).await, dead_letters, "{name}: buried");
    env.tasks.stop_and_wait().await;
    assert_eq!(read_all(&env, source, 1).await.len(), 1, "{name}: acknowledged");
}

async fn put(env: &TestEnv, key: &str) {
    env.cache.put(key, Bytes::from(WONDERS), Duration::from_secs(600)).await.unwrap();
}

#[tokio::test]
async fn a_message_waits_for_a_newer_program_that_reads_what_belongs_to_it() {
    let template = || policy_for(&[Channel::Template]);
    let text = || policy_for(&[Channel::CustomerService]);
    let notices = Source::Queue(NOTICES);
    let notice = async |env: &TestEnv| env.enqueue_notice(1, |_| {}).await;

    let outcome = async |env: &TestEnv| {
        let hash = Sha256::digest(notice_key(1).as_bytes());
        append(env, &OUTCOMES, &["shop", &hex::encode(&hash[..16])], Entry::new(WONDERS)).await;
    };
    let lease = async |env: &TestEnv| put(env, &former_lease_key(&notice_key(1))).await;
    let order = async |env: &TestEnv| put(env, &planned_order_key("hall/20780/1")).await;
    let window = async |env: &TestEnv| put(env, &window_key(1, SendWindowKind::Tap)).await;
    let index = async |env: &TestEnv| put(env, &sent_index_key("shop", &person_tag(1))).await;
    let account = async |env: &TestEnv| {
        append(env, &SETTINGS, &["account", "shop"], Entry::new(WONDERS)).await;
    };
    let site = async |env: &TestEnv| {
        append(env, &SETTINGS, &["site", "hall"], Entry::new(WONDERS)).await;
    };
    let call = async |env: &TestEnv| env.call_tickets(1..2).await;
    let receipt = async |env: &TestEnv| {
        let receipt = Receipt {
            v: 1,
            account: "shop".into(),
            person: person_tag(1),
            channel: Channel::Template,
            template: None,
            message_id: Some(7),
            receipt: ReceiptStatus::Delivered,
            status_text: "success".into(),
            created_s: 1,
            received_at: 1,
            identity: "r1".into(),
        };
        env.enqueue_receipt(receipt).await;
    };
    // A letter of the newer program, which is to be tried again.
    let redrive = async |env: &TestEnv| {
        let cause = Cause { reason: "r".into(), origin: "notices".into(), key: notice_key(1) };
        let letter = cause.to_dead_letter(&Entry::new(WONDERS));
        let position = append(env, &DEAD_LETTERS, &["notices"], letter).await;
        let action = DeadLetterAction::Redriven { newest: 1 };
        let resolution = DeadLetterResolution { v: 1, at: 1, by: "boss".to_owned(), action };
        let entry = Entry::new(serde_json::to_vec(&resolution).unwrap());
        append(env, &DEAD_LETTERS, &[HANDLED_SUBJECT, &position.to_string()], entry).await;
    };
    let nothing = async |_: &TestEnv| {};
    let redriver = Source::Consumer(DEAD_LETTERS, REDRIVER);
    let planner = Source::Consumer(LEDGER, PLANNER);
    let receipts = Source::Queue(RECEIPTS);
    tokio::join!(
        check_left_alone("outcome", template(), notices, outcome, notice),
        check_left_alone("lease", template(), notices, lease, notice),
        check_left_alone("order", template(), notices, order, notice),
        check_left_alone("window", text(), notices, window, notice),
        check_left_alone("index", template(), notices, index, notice),
        check_left_alone("account", template(), notices, account, notice),
        check_left_alone("site", template(), notices, site, notice),
        check_left_alone("plan", template(), planner, order, call),
        check_left_alone("receipt", template(), receipts, index, receipt),
        check_left_alone("redrive", template(), redriver, nothing, redrive),
    );
}

#[tokio::test]
async fn a_settings_document_that_can_be_read_again_is_in_force() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    append(&env, &SETTINGS, &["site", "hall"], Entry::new(WONDERS)).await;
    let retired = r#"{"v":1,"at":1,"event":"site_retired","site":"hall","by":"boss"}"#;
    append(&env, &SETTINGS, &["site", "hall"], Entry::new(retired)).await;
    let policy = NoticePolicy {
        channels: vec![Channel::Template],
        template: Some(binding(SimTemplate::DEMO_CALLED)),
        ..NoticePolicy::default()
    };
    env.notifier_with_policy(policy, 8);
    sleep(Duration::from_millis(300)).await;
    env.enqueue_notice(1, |_| {}).await;
    env.wait_until_ended(1).await;
    assert_eq!(env.wechat.messages(&open_id(1)).len(), 1);
}
