//! Tests of notices in one process with three accounts: channels, recorded outcomes, and isolation
//! of the accounts.

use crate::support::gateway::{start_program, wait_until_ready};
use crate::support::http::{client, send_json, staff_request};
use futures::StreamExt;
use harness::{Program, free_port, wait_until};
use paihao_contracts::notice::{Channel, DeliveryOutcome};
use paihao_contracts::outcome::{NoticeState, NoticeStatus, OutcomeRecord};
use paihao_contracts::receipt::ReceiptStatus;
use paihao_contracts::streams::OUTCOMES;
use paihao_ledger::{Ledger, LogItem, Position};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use reqwest::{Client, StatusCode};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::{
    ChatContent, Effect, Fault, Refusal, Routing, ScanResult, SimAccount, SimConfig, SimTemplate,
    Simulator,
};

const STAFF_KEY: &str = "a-key-of-the-tests-alone";
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const SHOPS: [&str; 3] = ["one", "two", "three"];
const SEND_TEMPLATE_PATH: &str = "/cgi-bin/message/template/send";

/// Process with three accounts of one site each, and a simulated WeChat.
struct MultiAccountDeployment {
    program: Program,
    wechat: Simulator,
    http: Client,
    url: String,
    next_request: std::cell::Cell<u32>,
}

fn appid(i: usize) -> String {
    format!("wx000000000000000{i}")
}

impl MultiAccountDeployment {
    /// Starts the deployment and opens a counter at each site. `templates` are the ids that the
    /// accounts have bound.
    async fn start(templates: [&str; 3]) -> MultiAccountDeployment {
        let accounts = (0..3).map(|i| SimAccount {
            appid: appid(i),
            original_id: format!("gh_{i}"),
            ..SimAccount::default()
        });
        let config = SimConfig {
            accounts: accounts.collect(),
            templates: SimTemplate::demo(),
            ..SimConfig::default()
        };
        let wechat = Simulator::start(config).await.unwrap();
        let port = free_port();
        let admin = free_port();
        let mut text = format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            phones = '{sim}'
            [admin]
            listen = '127.0.0.1:{admin}'
            [ledger]
            file = '{{dir}}/ledger.sqlite'
            [wechat]
            api = '{sim}'
            mp = '{sim}'
            [staff.desk]
            key = '{STAFF_KEY}'
            sites = ['one', 'two', 'three']
            ",
            sim = wechat.base_url(),
        );
        for (i, name) in SHOPS.iter().enumerate() {
            let SimAccount { secret, callback_token, .. } = SimAccount::default();
            let _ = write!(
                text,
                "
                [accounts.{name}]
                appid = '{appid}'
                secret = '{secret}'
                callback_token = '{callback_token}'
                mode = 'plain'
                channels = ['customer-service', 'template']
                [accounts.{name}.called]
                template_id = '{template}'
                fields = {{ thing1 = '{{site}}', character_string2 = '{{number}}', thing3 = '{{counter}}', time4 = '{{time}}' }}
                [sites.{name}]
                account = '{name}'
                name = '{name}'
                [sites.{name}.queues.a]
                name = '业务'
                prefix = 'A'
                [sites.{name}.counters.1]
                name = '1号窗口'
                queues = ['a']
                ",
                appid = appid(i),
                template = templates[i],
            );
        }
        let program = start_program(&text);
        let url = format!("http://127.0.0.1:{port}");
        for (i, name) in SHOPS.iter().enumerate() {
            wechat.set_callback_urls(Some(&appid(i)), [format!("{url}/wechat/{name}")]);
        }
        let admin = format!("http://127.0.0.1:{admin}");
        let http = client();
        wait_until_ready(&http, &admin).await;
        let deployment =
            MultiAccountDeployment { program, wechat, http, url, next_request: Default::default() };
        for shop in SHOPS {
            deployment.post_counter_act(shop, "open").await;
        }
        deployment
    }

    async fn post_counter_act(&self, shop: &str, act: &str) {
        let url = format!("{}/api/v1/sites/{shop}/counters/1/{act}", self.url);
        self.next_request.set(self.next_request.get() + 1);
        let key = format!("request {}", self.next_request.get());
        let (status, response) = send_json(staff_request(&self.http, STAFF_KEY, &url, &key)).await;
        assert_eq!(status, StatusCode::OK, "{response}");
    }

    /// Scans a code of the shop and checks that the reply has a number.
    async fn take_number(&self, shop: &str, person: &str) {
        let url = format!("{}/api/v1/scan-sessions", self.url);
        let body = format!(r#"{{"purpose":"ticket","site":"{shop}","queue":"a"}}"#);
        let (status, opened) = send_json(self.http.post(url).body(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let link = opened["scan_link"].as_str().expect("the simulator's phones are configured");
        let code = link.split_once("?scan=").expect("a link to a code").1;
        let scanned = self.wechat.scan(person, code, Routing::default()).await;
        assert!(
            matches!(scanned.scan_result, Some(ScanResult::Followed | ScanResult::Scanned)),
            "{scanned:?}"
        );
        assert!(scanned.reply.is_some_and(|reply| reply.contains("A0")), "no number");
    }

    /// Calls the next ticket and finishes it.
    async fn call_next(&self, shop: &str) {
        self.post_counter_act(shop, "call-next").await;
        self.post_counter_act(shop, "finish").await;
    }

    /// Kinds of the messages to a person besides replies: texts and cards of templates.
    fn messages_to(&self, person: &str) -> Vec<&'static str> {
        let chat = self.wechat.chat(person);
        let kind = |shown: &ChatContent| match shown {
            ChatContent::Service { .. } => Some("text"),
            ChatContent::Card { .. } => Some("card"),
            _ => None,
        };
        chat.iter().filter_map(|line| kind(&line.content)).collect()
    }

    async fn wait_until_notified(&self, person: &str) {
        let notified = async || !self.messages_to(person).is_empty();
        wait_until("the person is notified", WAIT_TIMEOUT, notified).await;
    }

    /// Stops the program. Returns the state of each notice by site and ticket, as in `one/2`.
    async fn outcomes(mut self) -> BTreeMap<String, NoticeState> {
        self.program.stop();
        let options = SqliteOptions::new(Arc::new(|| 0));
        let ledger =
            SqliteLedger::open(self.program.folder().join("ledger.sqlite"), options).unwrap();
        let head = ledger.head(&OUTCOMES).await.unwrap();
        let mut entries = ledger.follow(&OUTCOMES, Position::START).await.unwrap();
        let mut records: BTreeMap<String, Vec<OutcomeRecord>> = BTreeMap::new();
        let mut reached = Position::START;
        while reached < head {
            let Some(LogItem::Entry(recorded)) = entries.next().await else { panic!("cut off") };
            reached = recorded.position;
            let record: OutcomeRecord = serde_json::from_slice(&recorded.entry.payload).unwrap();
            let key = match &record {
                OutcomeRecord::Attempt(trying) => trying.key.clone(),
                OutcomeRecord::Ended(ended) => ended.key.clone(),
                OutcomeRecord::Receipt(receipt) => receipt.key.clone(),
            };
            // The day in the key depends on the clock; site and ticket identify a notice here.
            let parts: Vec<_> = key.split('/').collect();
            records.entry(format!("{}/{}", parts[0], parts[2])).or_default().push(record);
        }
        records
            .into_iter()
            .map(|(key, records)| (key, NoticeState::from_records(records)))
            .collect()
    }

    /// Waits until the program has logged a text so many times, and not more often.
    async fn wait_for_log(&self, text: &str, times: usize) {
        let count = || self.program.output().lines().filter(|line| line.contains(text)).count();
        wait_until(text, WAIT_TIMEOUT, async || count() >= times).await;
        assert_eq!(count(), times, "{}", self.program.output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_sent_as_a_text_while_it_is_allowed_and_then_by_template_with_recorded_outcomes()
{
    let deployment = MultiAccountDeployment::start([SimTemplate::DEMO_CALLED; 3]).await;
    let wechat = &deployment.wechat;
    // Every receipt arrives twice; that of oCai's message before the response, that of oDan's
    // without an id.
    wechat.change_behaviour(|behaviour| behaviour.receipt.copies = 2);
    for person in ["oAnn", "oBen", "oCai", "oDan"] {
        deployment.take_number("one", person).await;
    }
    // Within a minute of her scan, oAnn gets a text.
    deployment.call_next("one").await;
    deployment.wait_until_notified("oAnn").await;
    // By WeChat's clock the minute is over: it refuses the text, and oBen gets a card instead.
    wechat.advance_clock(Duration::from_secs(61));
    deployment.call_next("one").await;
    deployment.wait_until_notified("oBen").await;
    const RECEIPT: &str = "matched a receipt to its notice";
    deployment.wait_for_log(RECEIPT, 1).await;
    wechat.change_behaviour(|behaviour| behaviour.receipt.before_answer = true);
    deployment.call_next("one").await;
    deployment.wait_until_notified("oCai").await;
    deployment.wait_for_log(RECEIPT, 2).await;
    wechat.change_behaviour(|behaviour| {
        (behaviour.receipt.before_answer, behaviour.receipt.zero_id) = (false, true);
    });
    wechat.set_person(Some(&appid(0)), "oDan", true, Refusal::InReceipt);
    deployment.call_next("one").await;
    deployment.wait_until_notified("oDan").await;
    deployment.wait_for_log(RECEIPT, 3).await;

    let messages = ["oAnn", "oBen", "oCai", "oDan"].map(|person| deployment.messages_to(person));
    assert_eq!(messages, [vec!["text"], vec!["card"], vec!["card"], vec!["card"]]);
    let outcomes = deployment.outcomes().await;
    let channel_of =
        |ticket: u32| outcomes[&format!("one/{ticket}")].outcome.as_ref().unwrap().channel;
    assert_eq!([1, 2].map(channel_of), [Some(Channel::CustomerService), Some(Channel::Template)]);
    let refused = &outcomes["one/2"].outcome.as_ref().unwrap().earlier_attempts[0];
    assert_eq!((refused.channel, refused.code), (Channel::CustomerService, Some(45015)));
    let status = |ticket: u32| outcomes[&format!("one/{ticket}")].status();
    assert_eq!(status(1), NoticeStatus::Accepted, "a text has no receipt");
    assert_eq!([2, 3].map(status), [NoticeStatus::Delivered, NoticeStatus::Delivered]);
    assert_eq!(status(4), NoticeStatus::NotDelivered(ReceiptStatus::Refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misconfigured_account_and_a_slow_one_do_not_delay_a_third() {
    let deployment = MultiAccountDeployment::start([
        "deleted-long-ago",
        SimTemplate::DEMO_CALLED,
        SimTemplate::DEMO_CALLED,
    ])
    .await;
    let wechat = &deployment.wechat;
    deployment.wait_for_log("a template binding is wrong", 1).await;
    for i in 0..4 {
        for (shop, name) in SHOPS.iter().zip(["oAnn", "oBen", "oCai"]) {
            deployment.take_number(shop, &format!("{name}{i}")).await;
        }
    }
    // The minute after the scans is over. Only oAnn0 has written since and can get a text.
    wechat.advance_clock(Duration::from_secs(61));
    wechat.send_text(Some(&appid(0)), "oAnn0", "你好", Routing::default()).await.unwrap();
    for i in 0..4 {
        let slow = Fault::new(SEND_TEMPLATE_PATH, Effect::Delay { ms: 60_000 });
        wechat.add_fault(slow.containing(&format!("oBen{i}")));
    }
    for _ in 0..4 {
        deployment.call_next("one").await;
        deployment.call_next("two").await;
    }
    for _ in 0..4 {
        deployment.call_next("three").await;
    }
    for i in 0..4 {
        deployment.wait_until_notified(&format!("oCai{i}")).await;
        assert!(
            deployment.messages_to(&format!("oBen{i}")).is_empty(),
            "the third waited for the second"
        );
    }
    deployment.wait_until_notified("oAnn0").await;
    assert_eq!(deployment.messages_to("oAnn0"), ["text"], "notified by text without the template");
    deployment.wait_for_log("outcome=\"refused\"", 3).await;
    let outcomes = deployment.outcomes().await;
    for ticket in 1..5 {
        let third = &outcomes[&format!("three/{ticket}")];
        assert!(
            matches!(third.outcome.as_ref().unwrap().outcome, DeliveryOutcome::Sent { .. }),
            "{third:?}"
        );
        let second = &outcomes[&format!("two/{ticket}")];
        assert_eq!(second.status(), NoticeStatus::Pending, "{second:?}");
    }
    let first = outcomes["one/2"].outcome.as_ref().unwrap();
    assert!(
        matches!(first.outcome, DeliveryOutcome::Refused { code: 45015 | 40037, .. }),
        "{first:?}"
    );
    assert!(first.earlier_attempts.iter().any(|attempt| attempt.code == Some(40037)), "{first:?}");
}
