//! Test environment: embedded stores, a simulated WeChat, and any number of notifiers.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::{
    Commit, Decision, Event, NotificationKind, NotificationTrigger, Number,
    Outcome as CommandOutcome, SiteFacts,
};
use paihao_contracts::notice::{Channel, DeliveryOutcome, Notice, NoticeContent, NoticeOutcome};
use paihao_contracts::outcome::{NoticeState, OutcomeRecord};
use paihao_contracts::receipt::Receipt;
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams::{LEDGER, Log, NOTICES, OUTCOMES, RECEIPTS, send_window_key};
use paihao_ledger::{
    Acknowledge, Delivery, Disposition, Entry, ExpectedPosition, Handler, Ledger, LogItem,
    Position, StoredEntry, Subject, Unavailable,
};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_notifier::NoticePolicy;
use paihao_notifier::render::Binding;
use paihao_notifier::{AccountCheckIntervals, Handlers, Notifier, Ports, Settings, start};
use paihao_wechat::traffic::{CallLimiter, Limits};
use paihao_wechat::{
    AccessToken, AccountClient, AppId, AppSecret, Client, ClientOptions, Endpoints, OpenId,
    PersonTags, TokenSource, TokenUnavailable,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;
use wechat_sim::{Refusal, SimAccount, SimConfig, SimTemplate, Simulator};

pub const TEMPLATE_SEND_PATH: &str = "/cgi-bin/message/template/send";
pub const CUSTOM_SEND_PATH: &str = "/cgi-bin/message/custom/send";
pub const SUBSCRIPTION_SEND_PATH: &str = "/cgi-bin/message/subscribe/bizsend";
pub const TEMPLATE_LIST_PATH: &str = "/cgi-bin/template/get_all_private_template";
pub const START_MS: i64 = 1_795_384_474_775;

/// Accounts of the environment. The first is the simulator's default account.
pub const ACCOUNTS: [&str; 3] = ["shop", "second", "third"];

/// Stores, simulated WeChat and clock of one test.
pub struct TestEnv {
    pub wechat: Simulator,
    pub ledger: Arc<SqliteLedger>,
    pub cache: Arc<dyn Cache>,
    pub clock: ManualClock,
    pub call_limiter: Arc<CallLimiter>,
    pub tasks: Tasks,
    _folder: TempDir,
}

fn sim_account(account: &str) -> SimAccount {
    let defaults = SimAccount::default();
    match ACCOUNTS.iter().position(|name| *name == account).expect("one of the accounts") {
        0 => defaults,
        i => SimAccount { appid: format!("wx000000000000000{i}"), ..defaults },
    }
}

/// Token source that requests a token from WeChat for each call.
struct DirectTokenSource(Client);

#[async_trait]
impl TokenSource for DirectTokenSource {
    async fn current(&self, account: &str) -> Result<AccessToken, TokenUnavailable> {
        let account = sim_account(account);
        let app = AppId(account.appid);
        let secret = AppSecret::new(account.secret);
        let issued = self.0.stable_token(&app, &secret, false).await;
        Ok(issued.map_err(|error| TokenUnavailable(error.to_string()))?.token)
    }

    async fn replace_refused(
        &self,
        account: &str,
        _: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        self.current(account).await
    }
}

pub fn binding(template: &str) -> Binding {
    let fields = [
        ("thing1", "{site}"),
        ("character_string2", "{number}"),
        ("thing3", "{counter}"),
        ("time4", "{time}"),
    ];
    let fields = fields.map(|(key, wording)| (key.into(), wording.into())).into();
    Binding { template_id: template.into(), fields, mini_program: None }
}

/// Policy that sends calls through these channels, all of which are configured.
pub fn policy_for(channels: &[Channel]) -> NoticePolicy {
    NoticePolicy {
        channels: channels.into(),
        template: Some(binding(SimTemplate::DEMO_CALLED)),
        subscription: Some(binding(SimTemplate::DEMO_PROGRESS)),
        text: "请 {number} 到 {counter}".into(),
    }
}

impl TestEnv {
    pub async fn new() -> TestEnv {
        let mut templates = SimTemplate::demo();
        // The subscription template has the same fields.
        templates[0].fields = templates[1].fields.clone();
        let config = SimConfig {
            accounts: ACCOUNTS.map(sim_account).into(),
            subscriptions: templates.clone(),
            templates,
            ..SimConfig::default()
        };
        let clock = ManualClock::at(START_MS);
        let folder = tempfile::tempdir().unwrap();
        // The store uses real time, so that its delays pass while a test sets the clock.
        let started = Instant::now();
        let options =
            SqliteOptions::new(Arc::new(move || START_MS + started.elapsed().as_millis() as i64));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        let time = clock.clone();
        TestEnv {
            wechat: Simulator::start(config).await.unwrap(),
            ledger: Arc::new(ledger),
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            call_limiter: CallLimiter::new(Limits::default(), Arc::new(move || time.now_ms())),
            clock,
            tasks: Tasks::new(),
            _folder: folder,
        }
    }

    /// Starts a notifier that sends calls by this template alone.
    pub fn notifier(&self, template: &str) -> Notifier {
        let policy = NoticePolicy {
            channels: vec![Channel::Template],
            template: Some(binding(template)),
            ..NoticePolicy::default()
        };
        self.notifier_with_policy(policy, 8)
    }

    /// Starts a notifier that sends calls with this policy, in all accounts.
    pub fn notifier_with_policy(&self, policy: NoticePolicy, in_flight: usize) -> Notifier {
        self.notifier_over(self.ledger.clone(), policy, in_flight)
    }

    /// The same over another view of the ledger.
    pub fn notifier_over(
        &self,
        ledger: Arc<dyn Ledger>,
        policy: NoticePolicy,
        in_flight: usize,
    ) -> Notifier {
        start(settings(policy, in_flight), self.ports(ledger), &self.tasks)
    }

    /// Returns the ports of a notifier over a view of the ledger.
    pub fn ports(&self, ledger: Arc<dyn Ledger>) -> Ports {
        let client = self.wechat_client();
        let wechat = AccountClient::new(client.clone(), Arc::new(DirectTokenSource(client)));
        Ports {
            ledger,
            cache: self.cache.clone(),
            wechat: wechat.with_limiter(self.call_limiter.clone()),
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// Returns the handlers of a notifier without their queues.
    pub fn handlers(&self, policy: NoticePolicy, in_flight: usize) -> Handlers {
        Handlers::start(settings(policy, in_flight), self.ledger.clone(), &self.tasks)
    }

    /// Returns a client of the simulated WeChat.
    pub fn wechat_client(&self) -> Client {
        let endpoint = |url: String| url.parse().unwrap();
        Client::new(ClientOptions {
            endpoints: Endpoints {
                api: endpoint(self.wechat.base_url()),
                mp: endpoint(self.wechat.base_url()),
            },
            ..ClientOptions::default()
        })
        .unwrap()
    }

    /// Returns an access token of the first account.
    pub async fn access_token(&self, client: &Client) -> AccessToken {
        DirectTokenSource(client.clone()).current("shop").await.unwrap()
    }

    /// Appends a commit of the first account in which these people are called once each.
    pub async fn call_tickets(&self, people: std::ops::Range<u32>) {
        self.call_tickets_at("shop", people).await;
    }

    pub async fn call_tickets_at(&self, account: &str, people: std::ops::Range<u32>) {
        self.append_commit(account, people.map(|i| self.call_event(i, 1)).collect()).await;
    }

    /// Builds the event of a person's n-th call, whose notice has order number n.
    pub fn call_event(&self, i: u32, call: u32) -> Event {
        let at = self.clock.now_ms();
        Event::NotificationTriggered(NotificationTrigger {
            ticket: i,
            day: 20780,
            person: open_id(i).into(),
            key: None,
            number: Number { prefix: "A".into(), serial: i },
            queue_name: "存取款".into(),
            kind: NotificationKind::Called {
                counter_name: format!("{call}号窗口").into(), call
            },
            occurrence: call,
            order: call,
            at,
            valid_until: at + 180_000,
        })
    }

    /// Appends a commit of an account.
    pub async fn append_commit(&self, account: &str, events: Vec<Event>) {
        let entry = Entry::new(serde_json::to_vec(&self.commit(account, events)).unwrap());
        let subject = Subject::new(&[account, "hall"]).unwrap();
        self.ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }

    /// Builds a commit of an account.
    pub fn commit(&self, account: &str, events: Vec<Event>) -> Commit {
        let at = self.clock.now_ms();
        let decision = Decision {
            command: [0; 16],
            fingerprint: [0; 8],
            at,
            by: None,
            outcome: CommandOutcome::CounterOpen { counter: "1".into() },
            events,
        };
        let site = SiteFacts {
            account: account.into(),
            id: "hall".into(),
            name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        Commit { v: 1, site, decisions: vec![decision] }
    }

    /// Enqueues the notice of a call without a commit, after `change`.
    pub async fn enqueue_notice(&self, i: u32, change: impl FnOnce(&mut Notice)) {
        let mut notice = Notice {
            v: 1,
            key: notice_key(i),
            account: "shop".into(),
            site_name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
            person: open_id(i).into(),
            number: Number { prefix: "A".into(), serial: i },
            queue_name: "存取款".into(),
            content: NoticeContent::Called { counter_name: "1号窗口".into(), call: 1 },
            order: 1,
            at: self.clock.now_ms(),
            valid_until: self.clock.now_ms() + 180_000,
            link: None,
            replied: false,
        };
        change(&mut notice);
        let entry = Entry::new(serde_json::to_vec(&notice).unwrap());
        self.ledger.enqueue(&NOTICES, &notice.key, entry, Duration::ZERO).await.unwrap();
    }

    /// Enqueues a receipt, as a gateway does.
    pub async fn enqueue_receipt(&self, receipt: Receipt) {
        let entry = Entry::new(serde_json::to_vec(&receipt).unwrap());
        let key = format!("{}{}", receipt.identity, self.log_len(&OUTCOMES).await);
        self.ledger.enqueue(&RECEIPTS, &key, entry, Duration::ZERO).await.unwrap();
    }

    /// Adds people who follow the account.
    pub fn add_followers(&self, people: std::ops::Range<u32>) {
        people.for_each(|i| self.wechat.set_person(None, &open_id(i), true, Refusal::No));
    }

    /// Opens a send window of a person, as a gateway does.
    pub async fn open_window(&self, i: u32, window: SendWindowKind) {
        let opened = SendWindow::open(window, self.clock.now_ms() / 1000);
        let value = Bytes::from(serde_json::to_vec(&opened).unwrap());
        self.cache.put(&window_key(i, window), value, window.duration()).await.unwrap();
    }

    /// Sends a message of a person to the account, which opens a send window.
    pub async fn person_writes(&self, i: u32) {
        self.wechat.send_text(None, &open_id(i), "你好", Default::default()).await.unwrap();
        self.open_window(i, SendWindowKind::Message).await;
    }

    /// Returns all records of the outcome log.
    pub async fn outcome_records(&self) -> Vec<OutcomeRecord> {
        let head = self.ledger.head(&OUTCOMES).await.unwrap();
        let mut entries = self.ledger.follow(&OUTCOMES, Position::START).await.unwrap();
        let mut records = Vec::new();
        let mut position = Position::START;
        while position < head {
            let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            records.push(serde_json::from_slice(&recorded.entry.payload).unwrap());
            position = recorded.position;
        }
        records
    }

    /// Returns the state of a notice from its records.
    pub async fn outcome(&self, i: u32) -> NoticeState {
        let is_of_notice = |record: &OutcomeRecord| match record {
            OutcomeRecord::Attempt(attempt) => attempt.key == notice_key(i),
            OutcomeRecord::Ended(ended) => ended.key == notice_key(i),
            OutcomeRecord::Receipt(receipt) => receipt.key == notice_key(i),
        };
        NoticeState::from_records(self.outcome_records().await.into_iter().filter(is_of_notice))
    }

    /// Returns the outcomes of notices in the order of the log.
    pub async fn ended_outcomes(&self) -> Vec<NoticeOutcome> {
        let ended = |record| match record {
            OutcomeRecord::Ended(ended) => Some(ended),
            _ => None,
        };
        self.outcome_records().await.into_iter().filter_map(ended).collect()
    }

    /// Stops all tasks and replaces the cache by an empty one.
    pub async fn restart_without_cache(&mut self) {
        self.tasks.stop_and_wait().await;
        self.tasks = Tasks::new();
        self.cache = Arc::new(MemoryCache::new(MemoryOptions::default()));
    }

    /// Waits until this many notices have ended and returns their outcome records by key.
    pub async fn wait_until_ended(&self, count: usize) -> BTreeMap<String, NoticeOutcome> {
        let mut entries = self.ledger.follow(&OUTCOMES, Position::START).await.unwrap();
        let mut outcomes = BTreeMap::new();
        while outcomes.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(30), entries.next()).await;
            let Ok(Some(LogItem::Entry(recorded))) = next else {
                panic!("only {} of {count} outcomes: {outcomes:?}", outcomes.len());
            };
            let record = serde_json::from_slice(&recorded.entry.payload).unwrap();
            if let OutcomeRecord::Ended(outcome) = record {
                assert!(outcomes.insert(outcome.key.clone(), outcome).is_none(), "a second end");
            }
        }
        outcomes
    }

    /// Waits until this many notices have ended and returns their outcomes by key.
    pub async fn wait_for_outcomes(&self, count: usize) -> BTreeMap<String, DeliveryOutcome> {
        let ended = self.wait_until_ended(count).await;
        ended.into_iter().map(|(key, outcome)| (key, outcome.outcome)).collect()
    }

    /// Returns the count of entries in a log.
    pub async fn log_len(&self, log: &Log) -> usize {
        let head = self.ledger.head(log).await.unwrap();
        let mut entries = self.ledger.follow(log, Position::START).await.unwrap();
        let mut count = 0;
        let mut position = Position::START;
        while position < head {
            let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            count += 1;
            position = recorded.position;
        }
        count
    }
}

/// Acknowledgement that goes nowhere: the caller sees the disposition itself.
struct Unheard;

#[async_trait]
impl Acknowledge for Unheard {
    async fn settle(&self, _: Disposition) -> Result<(), Unavailable> {
        Ok(())
    }
    async fn extend(&self) -> Result<(), Unavailable> {
        Ok(())
    }
    fn abandon(&self) {}
}

/// Builds a delivery of a queue that the test plays.
pub fn delivery(subject: &str, payload: Vec<u8>) -> Delivery {
    let message = StoredEntry {
        position: Position(1),
        subject: Subject::new(&[subject]).unwrap(),
        at_ms: START_MS,
        entry: Entry::new(payload),
    };
    Delivery::new(message, 1, Box::new(Unheard))
}

/// Hands a notice to a worker, as a queue does.
pub async fn deliver(worker: &impl Handler<Message = Notice>, notice: &Notice) -> Disposition {
    let delivery = delivery("notices", serde_json::to_vec(notice).unwrap());
    worker.handle(notice.clone(), &delivery).await.unwrap()
}

pub fn settings(policy: NoticePolicy, in_flight: usize) -> Settings {
    let with_policy =
        |account: &str| (account.to_owned(), BTreeMap::from([("called", policy.clone())]));
    Settings {
        in_flight,
        accounts: ACCOUNTS.map(with_policy).into(),
        wording: BTreeMap::new(),
        account_checks: AccountCheckIntervals::default(),
        keyring: None,
        keyed_tags: false,
        public_url: Some("https://queue.example".to_owned()),
    }
}

/// Waits up to 30 s for a condition.
pub async fn wait_until(description: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < deadline, "never: {description}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the cache key of a send window.
pub fn window_key(i: u32, window: SendWindowKind) -> String {
    send_window_key("shop", &person_tag(i), window.name())
}

pub fn person_tag(i: u32) -> String {
    PersonTags::of_former_versions().tag("shop", &OpenId::new(open_id(i)))
}

pub fn open_id(i: u32) -> String {
    format!("oPerson{i}")
}

pub fn notice_key(i: u32) -> String {
    notice_key_for_call(i, 1)
}

pub fn notice_key_for_call(i: u32, call: u32) -> String {
    format!("hall/20780/{i}/called#{call}")
}
