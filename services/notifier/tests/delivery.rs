//! Notices from commit to outcome, over embedded stores and a simulated WeChat.

use async_trait::async_trait;
use futures::StreamExt;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::{
    Commit, Decision, Event, Milestone, MilestoneKind, Number, Outcome, SiteFacts,
};
use paihao_contracts::names::{DEAD_LETTERS, LEDGER, Log, OUTCOMES};
use paihao_contracts::notice::{Fate, NoticeOutcome};
use paihao_ledger::{Entry, Expect, Followed, Ledger, Position, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use paihao_notifier::render::{Binding, Bindings};
use paihao_notifier::{Ports, Settings, start};
use paihao_wechat::{
    AccessToken, AppId, AppSecret, Caller, Client, ClientOptions, Endpoints, TokenSource,
    TokenUnavailable,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;
use wechat_sim::{Fault, Refusal, SimAccount, SimConfig, SimTemplate, Simulator};

const SEND: &str = "/cgi-bin/message/template/send";
const NOW: i64 = 1_795_384_474_775;

/// One site's ledger, WeChat, and as many notifiers as a test starts.
struct World {
    wechat: Simulator,
    ledger: Arc<SqliteLedger>,
    cache: Arc<dyn Cache>,
    clock: ManualClock,
    tasks: Tasks,
    _folder: TempDir,
}

/// Asks WeChat whenever a token is wanted: the keeping of tokens is not what is tested here.
struct Fresh(Client);

#[async_trait]
impl TokenSource for Fresh {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        let account = SimAccount::default();
        let (app, secret) = (AppId(account.appid), AppSecret::new(account.secret));
        let issued = self.0.stable_token(&app, &secret, false).await;
        Ok(issued.map_err(|error| TokenUnavailable(error.to_string()))?.token)
    }

    async fn refused(
        &self,
        account: &str,
        _: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        self.current(account).await
    }
}

impl World {
    async fn new() -> World {
        let config = SimConfig {
            accounts: vec![SimAccount::default()],
            templates: SimTemplate::demo(),
            ..SimConfig::default()
        };
        let clock = ManualClock::at(NOW);
        let folder = tempfile::tempdir().unwrap();
        // The store keeps real time: its delays pass by themselves while a test sets the clock.
        let begun = Instant::now();
        let options =
            SqliteOptions::new(Arc::new(move || NOW + begun.elapsed().as_millis() as i64));
        let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite"), options).unwrap();
        World {
            wechat: Simulator::start(config).await.unwrap(),
            ledger: Arc::new(ledger),
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            clock,
            tasks: Tasks::new(),
            _folder: folder,
        }
    }

    fn notifier(&self, template: &str) {
        let endpoint = |url: String| url.parse().unwrap();
        let client = Client::new(ClientOptions {
            endpoints: Endpoints {
                api: endpoint(self.wechat.base_url()),
                mp: endpoint(self.wechat.base_url()),
            },
            ..ClientOptions::default()
        })
        .unwrap();
        let fields = [
            ("thing1", "{site}"),
            ("character_string2", "{number}"),
            ("thing3", "{counter}"),
            ("time4", "{time}"),
        ];
        let binding = Binding {
            template_id: template.into(),
            fields: fields.map(|(key, wording)| (key.into(), wording.into())).into(),
        };
        let bindings = BTreeMap::from([("shop".into(), Bindings { called: Some(binding) })]);
        let ports = Ports {
            ledger: self.ledger.clone(),
            cache: self.cache.clone(),
            wechat: Caller::new(client.clone(), Arc::new(Fresh(client))),
            clock: Arc::new(self.clock.clone()),
        };
        start(Settings { in_flight: 8, bindings }, ports, &self.tasks);
    }

    /// Writes a commit in which these people are called, each once.
    async fn call(&self, people: std::ops::Range<u32>) {
        let at = self.clock.now_ms();
        let events = people.map(|i| {
            Event::MilestoneReached(Milestone {
                ticket: i,
                day: 20780,
                person: person(i).into(),
                number: Number { prefix: "A".into(), serial: i },
                queue_name: "存取款".into(),
                kind: MilestoneKind::Called { counter_name: "1号窗口".into(), call: 1 },
                at,
                valid_until: at + 180_000,
            })
        });
        let decision = Decision {
            command: "00".repeat(16),
            fingerprint: "00".repeat(8),
            at,
            outcome: Outcome::CounterOpen { counter: "1".into() },
            events: events.collect(),
        };
        let site = SiteFacts {
            account: "shop".into(),
            id: "hall".into(),
            name: "大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        let commit = Commit { v: 1, site, decisions: vec![decision] };
        let entry = Entry::new(serde_json::to_vec(&commit).unwrap());
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        self.ledger.append(&LEDGER, &subject, Expect::Anything, entry).await.unwrap();
    }

    /// People whom WeChat knows.
    fn followers(&self, people: std::ops::Range<u32>) {
        people.for_each(|i| self.wechat.set_person(None, &person(i), true, Refusal::No));
    }

    /// Waits until so many outcomes are recorded, and gives them by key.
    async fn outcomes(&self, count: usize) -> BTreeMap<String, Fate> {
        let mut entries = self.ledger.follow(&OUTCOMES, Position::START).await.unwrap();
        let mut outcomes = BTreeMap::new();
        while outcomes.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(30), entries.next()).await;
            let Ok(Some(Followed::Entry(recorded))) = next else {
                panic!("only {} of {count} outcomes: {outcomes:?}", outcomes.len());
            };
            let outcome: NoticeOutcome = serde_json::from_slice(&recorded.entry.payload).unwrap();
            assert!(outcomes.insert(outcome.key, outcome.fate).is_none(), "a second outcome");
        }
        outcomes
    }

    /// How many entries stand in a log.
    async fn count(&self, log: &Log) -> usize {
        let head = self.ledger.head(log).await.unwrap();
        let mut entries = self.ledger.follow(log, Position::START).await.unwrap();
        let (mut count, mut reached) = (0, Position::START);
        while reached < head {
            let Some(Followed::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            (count, reached) = (count + 1, recorded.position);
        }
        count
    }
}

fn person(i: u32) -> String {
    format!("oPerson{i}")
}

fn key(i: u32) -> String {
    format!("hall/20780/{i}/called#1")
}

#[tokio::test]
async fn two_notifiers_tell_everybody_once_however_often_a_commit_is_planned() {
    let world = World::new().await;
    world.followers(1..101);
    world.notifier(SimTemplate::DEMO_CALLED);
    world.notifier(SimTemplate::DEMO_CALLED);
    for first in (1..101).step_by(10) {
        world.call(first..first + 10).await;
        // The same again: as if a planner had died before it said that it was done.
        world.call(first..first + 10).await;
    }
    let outcomes = world.outcomes(100).await;
    assert!(outcomes.values().all(|fate| matches!(fate, Fate::Sent { .. })), "{outcomes:?}");
    for i in 1..101 {
        assert_eq!(world.wechat.messages(&person(i)).len(), 1);
    }
    world.tasks.stop_and_wait().await;
    assert_eq!(world.count(&OUTCOMES).await, 100);
    assert_eq!(world.wechat.stats().messages_accepted, 100);
    assert_eq!(world.wechat.stats().messages_repeated, 0, "WeChat had to tell two of them apart");
}

#[tokio::test]
async fn what_is_no_longer_true_is_not_sent_and_that_is_recorded() {
    let world = World::new().await;
    world.followers(1..2);
    world.call(1..2).await;
    world.clock.advance(Duration::from_secs(181));
    world.notifier(SimTemplate::DEMO_CALLED);
    assert_eq!(world.outcomes(1).await[&key(1)], Fate::Stale);
    assert_eq!(world.wechat.stats().messages_accepted, 0);
}

#[tokio::test]
async fn somebody_who_refuses_is_left_alone() {
    let world = World::new().await;
    world.wechat.set_person(None, &person(1), true, Refusal::AtOnce);
    world.wechat.set_person(None, &person(2), false, Refusal::No);
    world.call(1..3).await;
    world.notifier(SimTemplate::DEMO_CALLED);
    let outcomes = world.outcomes(2).await;
    assert!(matches!(outcomes[&key(1)], Fate::Refused { code: 43101, .. }), "{outcomes:?}");
    assert!(matches!(outcomes[&key(2)], Fate::Refused { code: 43004, .. }), "{outcomes:?}");
    world.tasks.stop_and_wait().await;
    assert_eq!(world.count(&DEAD_LETTERS).await, 0, "nobody has to look at a refusal");
    assert_eq!(world.wechat.stats().calls[SEND], 2, "asked again although refused");
}

#[tokio::test]
async fn our_own_mistake_goes_to_the_dead_letters_with_its_reason() {
    let world = World::new().await;
    world.followers(1..2);
    world.call(1..2).await;
    world.notifier("a-template-that-was-deleted");
    let outcomes = world.outcomes(1).await;
    assert!(matches!(outcomes[&key(1)], Fate::Refused { code: 40037, .. }), "{outcomes:?}");
    let mut letters = world.ledger.follow(&DEAD_LETTERS, Position::START).await.unwrap();
    let letter = tokio::time::timeout(Duration::from_secs(30), letters.next()).await.unwrap();
    let Some(Followed::Entry(letter)) = letter else { panic!("{letter:?}") };
    let headers = format!("{:?}", letter.entry.headers);
    assert!(headers.contains("40037"), "{headers}");
    assert!(!headers.contains(&person(1)), "an openid in a reason: {headers}");
}

#[tokio::test]
async fn a_busy_wechat_is_asked_again_and_then_given_up_after_nine_minutes() {
    let world = World::new().await;
    world.followers(1..3);
    world.wechat.add_fault(Fault::errcode(SEND, -1).containing(&person(1)).times(1));
    world.wechat.add_fault(Fault::errcode(SEND, -1).containing(&person(2)));
    world.call(1..3).await;
    world.notifier(SimTemplate::DEMO_CALLED);
    assert!(matches!(world.outcomes(1).await[&key(1)], Fate::Sent { .. }));
    world.clock.advance(Duration::from_secs(9 * 60));
    let outcomes = world.outcomes(2).await;
    assert!(matches!(outcomes[&key(2)], Fate::GaveUp { .. }), "{outcomes:?}");
    assert_eq!(world.wechat.messages(&person(2)).len(), 0);
}
