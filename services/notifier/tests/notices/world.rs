//! A few shops' ledger, a simulated WeChat, and as many notifiers as a test starts.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::{
    Commit, Decision, Event, NotificationKind, NotificationTrigger, Number, Outcome as Answer,
    SiteFacts,
};
use paihao_contracts::notice::{Channel, DeliveryOutcome, Notice, NoticeContent, NoticeOutcome};
use paihao_contracts::outcome::{NoticeState, OutcomeRecord};
use paihao_contracts::receipt::Receipt;
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams::{LEDGER, Log, NOTICES, OUTCOMES, RECEIPTS, send_window_key};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_notifier::channels::NoticePolicy;
use paihao_notifier::render::Binding;
use paihao_notifier::{Notifier, Ports, Settings, Upkeep, start};
use paihao_wechat::traffic::{CallLimiter, Limits};
use paihao_wechat::{
    AccessToken, AccountClient, AppId, AppSecret, Client, ClientOptions, Endpoints, OpenId,
    TokenSource, TokenUnavailable,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;
use wechat_sim::{Refusal, SimAccount, SimConfig, SimTemplate, Simulator};

pub const SEND: &str = "/cgi-bin/message/template/send";
pub const TEXT: &str = "/cgi-bin/message/custom/send";
pub const SUBSCRIPTION: &str = "/cgi-bin/message/subscribe/bizsend";
pub const LIST: &str = "/cgi-bin/template/get_all_private_template";
pub const NOW: i64 = 1_795_384_474_775;

/// The accounts: the first is the simulator's own default one.
pub const SHOPS: [&str; 3] = ["shop", "second", "third"];

/// Stores, WeChat, and the time.
pub struct World {
    pub wechat: Simulator,
    pub ledger: Arc<SqliteLedger>,
    pub cache: Arc<dyn Cache>,
    pub clock: ManualClock,
    pub gates: Arc<CallLimiter>,
    pub tasks: Tasks,
    _folder: TempDir,
}

fn sim_account(shop: &str) -> SimAccount {
    let own = SimAccount::default();
    match SHOPS.iter().position(|name| *name == shop).expect("one of the shops") {
        0 => own,
        i => SimAccount { appid: format!("wx000000000000000{i}"), ..own },
    }
}

/// Asks WeChat whenever a token is wanted: the keeping of tokens is not what is tested here.
struct Fresh(Client);

#[async_trait]
impl TokenSource for Fresh {
    async fn current(&self, account: &str) -> Result<AccessToken, TokenUnavailable> {
        let account = sim_account(account);
        let (app, secret) = (AppId(account.appid), AppSecret::new(account.secret));
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
    Binding { template_id: template.into(), fields }
}

/// Says calls through these channels, all of which are set up.
pub fn manner(channels: &[Channel]) -> NoticePolicy {
    NoticePolicy {
        channels: channels.into(),
        template: Some(binding(SimTemplate::DEMO_CALLED)),
        subscription: Some(binding(SimTemplate::DEMO_PROGRESS)),
        text: "请 {number} 到 {counter}".into(),
    }
}

impl World {
    pub async fn new() -> World {
        let mut templates = SimTemplate::demo();
        // Whatever is subscribed to has the same fields.
        templates[0].fields = templates[1].fields.clone();
        let config = SimConfig {
            accounts: SHOPS.map(sim_account).into(),
            templates,
            ..SimConfig::default()
        };
        let clock = ManualClock::at(NOW);
        let folder = tempfile::tempdir().unwrap();
        // The store keeps real time: its delays pass by themselves while a test sets the clock.
        let begun = Instant::now();
        let options =
            SqliteOptions::new(Arc::new(move || NOW + begun.elapsed().as_millis() as i64));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        let time = clock.clone();
        World {
            wechat: Simulator::start(config).await.unwrap(),
            ledger: Arc::new(ledger),
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            gates: CallLimiter::new(Limits::default(), Arc::new(move || time.now_ms())),
            clock,
            tasks: Tasks::new(),
            _folder: folder,
        }
    }

    /// One that says calls by this template alone.
    pub fn notifier(&self, template: &str) -> Notifier {
        let manner = NoticePolicy {
            channels: vec![Channel::Template],
            template: Some(binding(template)),
            ..NoticePolicy::default()
        };
        self.speaking(manner, 8)
    }

    /// One that says calls in this manner, in all accounts.
    pub fn speaking(&self, manner: NoticePolicy, in_flight: usize) -> Notifier {
        let endpoint = |url: String| url.parse().unwrap();
        let client = Client::new(ClientOptions {
            endpoints: Endpoints {
                api: endpoint(self.wechat.base_url()),
                mp: endpoint(self.wechat.base_url()),
            },
            ..ClientOptions::default()
        })
        .unwrap();
        let wechat = AccountClient::new(client.clone(), Arc::new(Fresh(client)));
        let ports = Ports {
            ledger: self.ledger.clone(),
            cache: self.cache.clone(),
            wechat: wechat.with_limiter(self.gates.clone()),
            clock: Arc::new(self.clock.clone()),
        };
        let says = |shop: &str| (shop.to_owned(), BTreeMap::from([("called", manner.clone())]));
        let accounts = SHOPS.map(says).into();
        let public = Some("https://queue.example".to_owned());
        let (wording, upkeep) = (BTreeMap::new(), Upkeep::default());
        start(Settings { in_flight, accounts, wording, upkeep, public }, ports, &self.tasks)
    }

    /// Writes a commit of the first shop in which these people are called, each once.
    pub async fn call(&self, people: std::ops::Range<u32>) {
        self.call_at("shop", people).await;
    }

    pub async fn call_at(&self, shop: &str, people: std::ops::Range<u32>) {
        self.commit(shop, people.map(|i| self.called(i, 1)).collect()).await;
    }

    /// Somebody's n-th call, which is the n-th thing they are told.
    pub fn called(&self, i: u32, call: u32) -> Event {
        let at = self.clock.now_ms();
        Event::MilestoneReached(NotificationTrigger {
            ticket: i,
            day: 20780,
            person: person(i).into(),
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

    /// Writes a commit of a shop.
    pub async fn commit(&self, shop: &str, events: Vec<Event>) {
        let at = self.clock.now_ms();
        let decision = Decision {
            command: "00".repeat(16),
            fingerprint: "00".repeat(8),
            at,
            by: None,
            outcome: Answer::CounterOpen { counter: "1".into() },
            events,
        };
        let site = SiteFacts {
            account: shop.into(),
            id: "hall".into(),
            name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        let commit = Commit { v: 1, site, decisions: vec![decision] };
        let entry = Entry::new(serde_json::to_vec(&commit).unwrap());
        let subject = Subject::new(&[shop, "hall"]).unwrap();
        self.ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }

    /// Puts the notice of a call on the queue, by itself and changed as given.
    pub async fn enqueue(&self, i: u32, change: impl FnOnce(&mut Notice)) {
        let mut notice = Notice {
            v: 1,
            key: key(i),
            account: "shop".into(),
            site_name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
            person: person(i).into(),
            number: Number { prefix: "A".into(), serial: i },
            queue_name: "存取款".into(),
            saying: NoticeContent::Called { counter_name: "1号窗口".into(), call: 1 },
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

    /// A gateway hears what became of a message.
    pub async fn hear(&self, receipt: Receipt) {
        let entry = Entry::new(serde_json::to_vec(&receipt).unwrap());
        let key = format!("{}{}", receipt.identity, self.count(&OUTCOMES).await);
        self.ledger.enqueue(&RECEIPTS, &key, entry, Duration::ZERO).await.unwrap();
    }

    /// People whom WeChat knows.
    pub fn followers(&self, people: std::ops::Range<u32>) {
        people.for_each(|i| self.wechat.set_person(None, &person(i), true, Refusal::No));
    }

    /// A gateway has seen somebody do something.
    pub async fn seen(&self, i: u32, window: SendWindowKind) {
        let opened = SendWindow::open(window, self.clock.now_ms() / 1000);
        let value = Bytes::from(serde_json::to_vec(&opened).unwrap());
        self.cache.put(&seen_at(i, window), value, window.duration()).await.unwrap();
    }

    /// Somebody writes; WeChat allows texts from then on, and a gateway has seen it.
    pub async fn writes(&self, i: u32) {
        self.wechat.send_text(None, &person(i), "你好", Default::default()).await.unwrap();
        self.seen(i, SendWindowKind::Message).await;
    }

    /// Every record of the log of outcomes.
    pub async fn records(&self) -> Vec<OutcomeRecord> {
        let head = self.ledger.head(&OUTCOMES).await.unwrap();
        let mut entries = self.ledger.follow(&OUTCOMES, Position::START).await.unwrap();
        let (mut records, mut reached) = (Vec::new(), Position::START);
        while reached < head {
            let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            records.push(serde_json::from_slice(&recorded.entry.payload).unwrap());
            reached = recorded.position;
        }
        records
    }

    /// What the records of a notice add up to.
    pub async fn outcome(&self, i: u32) -> NoticeState {
        let of = |record: &OutcomeRecord| match record {
            OutcomeRecord::Attempt(trying) => trying.key == key(i),
            OutcomeRecord::Ended(ended) => ended.key == key(i),
            OutcomeRecord::Receipt(receipt) => receipt.key == key(i),
        };
        NoticeState::from_records(self.records().await.into_iter().filter(of))
    }

    /// How notices ended, in the order of the log.
    pub async fn ends(&self) -> Vec<NoticeOutcome> {
        let ended = |record| match record {
            OutcomeRecord::Ended(ended) => Some(ended),
            _ => None,
        };
        self.records().await.into_iter().filter_map(ended).collect()
    }

    /// The process ends, and with it the cache; a new one begins.
    pub async fn lose_the_cache(&mut self) {
        self.tasks.stop_and_wait().await;
        self.tasks = Tasks::new();
        self.cache = Arc::new(MemoryCache::new(MemoryOptions::default()));
    }

    /// Waits until so many notices have ended, and gives their ends by key.
    pub async fn ended(&self, count: usize) -> BTreeMap<String, NoticeOutcome> {
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

    /// The same, of each only how.
    pub async fn outcomes(&self, count: usize) -> BTreeMap<String, DeliveryOutcome> {
        let ended = self.ended(count).await;
        ended.into_iter().map(|(key, outcome)| (key, outcome.fate)).collect()
    }

    /// How many entries stand in a log.
    pub async fn count(&self, log: &Log) -> usize {
        let head = self.ledger.head(log).await.unwrap();
        let mut entries = self.ledger.follow(log, Position::START).await.unwrap();
        let (mut count, mut reached) = (0, Position::START);
        while reached < head {
            let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            (count, reached) = (count + 1, recorded.position);
        }
        count
    }
}

/// Waits for something that must come.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Where the cache keeps what somebody's doing allows.
pub fn seen_at(i: u32, window: SendWindowKind) -> String {
    send_window_key("shop", &tag(i), window.name())
}

pub fn tag(i: u32) -> String {
    OpenId::new(person(i)).pseudonym("shop")
}

pub fn person(i: u32) -> String {
    format!("oPerson{i}")
}

pub fn key(i: u32) -> String {
    key_of(i, 1)
}

pub fn key_of(i: u32, call: u32) -> String {
    format!("hall/20780/{i}/called#{call}")
}
