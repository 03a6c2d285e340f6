//! How people are told, by one program with three accounts: through which channel, what became of
//! it, and that one account's trouble is no other's.

use crate::http::{client, send_json, staff_request};
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

/// One process, its three accounts with a site each, and WeChat.
struct MultiAccountDeployment {
    program: Program,
    wechat: Simulator,
    http: Client,
    url: String,
    admin: String,
    next_request: std::cell::Cell<u32>,
}

fn appid(i: usize) -> String {
    format!("wx000000000000000{i}")
}

impl MultiAccountDeployment {
    /// `templates`: the id that each account has bound.
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
        let (port, admin) = (free_port(), free_port());
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
        let program = Program::start(
            env!("CARGO_BIN_EXE_paihao"),
            &["--config", "{dir}/paihao.toml", "all"],
            &[("paihao.toml", &text)],
        );
        let url = format!("http://127.0.0.1:{port}");
        for (i, name) in SHOPS.iter().enumerate() {
            wechat.set_callback_urls(Some(&appid(i)), [format!("{url}/wechat/{name}")]);
        }
        let admin = format!("http://127.0.0.1:{admin}");
        let (http, wishes) = (client(), Default::default());
        let street =
            MultiAccountDeployment { program, wechat, http, url, admin, next_request: wishes };
        wait_until("the program is ready", WAIT_TIMEOUT, async || {
            let ready = street.http.get(format!("{}/ready", street.admin)).send().await;
            ready.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        for shop in SHOPS {
            street.post_counter_act(shop, "open").await;
        }
        street
    }

    async fn post_counter_act(&self, shop: &str, what: &str) {
        let url = format!("{}/api/v1/sites/{shop}/counters/1/{what}", self.url);
        self.next_request.set(self.next_request.get() + 1);
        let wish = format!("wish {}", self.next_request.get());
        let (status, answer) = send_json(staff_request(&self.http, STAFF_KEY, &url, &wish)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// Somebody scans a code of the shop and has a number.
    async fn take_number(&self, shop: &str, person: &str) {
        let url = format!("{}/api/v1/scan-sessions", self.url);
        let body = format!(r#"{{"purpose":"ticket","site":"{shop}","queue":"a"}}"#);
        let (status, opened) = send_json(self.http.post(url).body(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let link = opened["scan_link"].as_str().expect("there are phones");
        let code = link.split_once("?scan=").expect("a link to a code").1;
        let scanned = self.wechat.scan(person, code, Routing::default()).await;
        assert!(
            matches!(scanned.seen, Some(ScanResult::Followed | ScanResult::Scanned)),
            "{scanned:?}"
        );
        assert!(scanned.reply.is_some_and(|reply| reply.contains("A0")), "no number");
    }

    /// The next one is called, and the one before is done.
    async fn call_next(&self, shop: &str) {
        self.post_counter_act(shop, "call-next").await;
        self.post_counter_act(shop, "finish").await;
    }

    /// What somebody was told besides replies: a text, a card.
    fn messages_to(&self, person: &str) -> Vec<&'static str> {
        let chat = self.wechat.chat(person);
        let kind = |shown: &ChatContent| match shown {
            ChatContent::Service { .. } => Some("text"),
            ChatContent::Card { .. } => Some("card"),
            _ => None,
        };
        chat.iter().filter_map(|line| kind(&line.shown)).collect()
    }

    async fn wait_until_told(&self, person: &str) {
        wait_until("they are told", WAIT_TIMEOUT, async || !self.messages_to(person).is_empty())
            .await;
    }

    /// Stops the program and adds up what it has recorded, by key.
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
            // Days differ with the clock: site and ticket are enough here.
            let parts: Vec<_> = key.split('/').collect();
            records.entry(format!("{}/{}", parts[0], parts[2])).or_default().push(record);
        }
        records
            .into_iter()
            .map(|(key, records)| (key, NoticeState::from_records(records)))
            .collect()
    }

    /// Waits until the program has said this so many times.
    async fn wait_for_log(&self, what: &str, times: usize) {
        let said = || self.program.output().lines().filter(|line| line.contains(what)).count();
        wait_until(what, WAIT_TIMEOUT, async || said() >= times).await;
        assert_eq!(said(), times, "{}", self.program.output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_while_it_is_allowed_a_template_message_after_it_and_what_became_of_each() {
    let street = MultiAccountDeployment::start([SimTemplate::DEMO_CALLED; 3]).await;
    let wechat = &street.wechat;
    // Every receipt comes twice; that of Cai's message before the answer, that of Dan's without id.
    wechat.change_behaviour(|behaviour| behaviour.receipt.copies = 2);
    for person in ["oAnn", "oBen", "oCai", "oDan"] {
        street.take_number("one", person).await;
    }
    // Within a minute of her scan, Ann is told in the chat.
    street.call_next("one").await;
    street.wait_until_told("oAnn").await;
    // For WeChat the minute is over: it refuses the text, and Ben gets a card all the same.
    wechat.advance_clock(Duration::from_secs(61));
    street.call_next("one").await;
    street.wait_until_told("oBen").await;
    const RECEIPT: &str = "WeChat told what became of a notice";
    street.wait_for_log(RECEIPT, 1).await;
    wechat.change_behaviour(|behaviour| behaviour.receipt.before_answer = true);
    street.call_next("one").await;
    street.wait_until_told("oCai").await;
    street.wait_for_log(RECEIPT, 2).await;
    wechat.change_behaviour(|behaviour| {
        (behaviour.receipt.before_answer, behaviour.receipt.zero_id) = (false, true);
    });
    wechat.set_person(Some(&appid(0)), "oDan", true, Refusal::InReceipt);
    street.call_next("one").await;
    street.wait_until_told("oDan").await;
    street.wait_for_log(RECEIPT, 3).await;

    let told = ["oAnn", "oBen", "oCai", "oDan"].map(|person| street.messages_to(person));
    assert_eq!(told, [vec!["text"], vec!["card"], vec!["card"], vec!["card"]]);
    let outcomes = street.outcomes().await;
    let via = |ticket: u32| outcomes[&format!("one/{ticket}")].outcome.as_ref().unwrap().via;
    assert_eq!([1, 2].map(via), [Some(Channel::CustomerService), Some(Channel::Template)]);
    let refused = &outcomes["one/2"].outcome.as_ref().unwrap().tried[0];
    assert_eq!((refused.channel, refused.code), (Channel::CustomerService, Some(45015)));
    let standing = |ticket: u32| outcomes[&format!("one/{ticket}")].status();
    assert_eq!(standing(1), NoticeStatus::Accepted, "a text has no receipt");
    assert_eq!([2, 3].map(standing), [NoticeStatus::Delivered, NoticeStatus::Delivered]);
    assert_eq!(standing(4), NoticeStatus::NotDelivered(ReceiptStatus::Refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_accounts_one_is_set_up_wrongly_one_is_not_answered_and_the_third_does_not_care() {
    let street = MultiAccountDeployment::start([
        "deleted-long-ago",
        SimTemplate::DEMO_CALLED,
        SimTemplate::DEMO_CALLED,
    ])
    .await;
    let wechat = &street.wechat;
    street.wait_for_log("a template binding is wrong", 1).await;
    for i in 0..4 {
        for (shop, name) in SHOPS.iter().zip(["oAnn", "oBen", "oCai"]) {
            street.take_number(shop, &format!("{name}{i}")).await;
        }
    }
    // The first may write to those who scanned; for the others the minute is over.
    wechat.advance_clock(Duration::from_secs(61));
    wechat.send_text(Some(&appid(0)), "oAnn0", "你好", Routing::default()).await.unwrap();
    for i in 0..4 {
        let hung = Fault::new(SEND_TEMPLATE_PATH, Effect::Delay { ms: 60_000 });
        wechat.add_fault(hung.containing(&format!("oBen{i}")));
    }
    for _ in 0..4 {
        street.call_next("one").await;
        street.call_next("two").await;
    }
    for _ in 0..4 {
        street.call_next("three").await;
    }
    for i in 0..4 {
        street.wait_until_told(&format!("oCai{i}")).await;
        assert!(
            street.messages_to(&format!("oBen{i}")).is_empty(),
            "the third waited for the second"
        );
    }
    street.wait_until_told("oAnn0").await;
    assert_eq!(street.messages_to("oAnn0"), ["text"], "no template, and told all the same");
    street.wait_for_log("fate=\"refused\"", 3).await;
    let outcomes = street.outcomes().await;
    for ticket in 1..5 {
        let third = &outcomes[&format!("three/{ticket}")];
        assert!(
            matches!(third.outcome.as_ref().unwrap().fate, DeliveryOutcome::Sent { .. }),
            "{third:?}"
        );
        let second = &outcomes[&format!("two/{ticket}")];
        assert_eq!(second.status(), NoticeStatus::Pending, "{second:?}");
    }
    let first = outcomes["one/2"].outcome.as_ref().unwrap();
    assert!(
        matches!(first.fate, DeliveryOutcome::Refused { code: 45015 | 40037, .. }),
        "{first:?}"
    );
    assert!(first.tried.iter().any(|tried| tried.code == Some(40037)), "{first:?}");
}
