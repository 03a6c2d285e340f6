//! Tests of presses on the menu: each entry, by people in each state, at one site and at several.

use crate::support::cluster::{Cluster, GatewaySetup};
use crate::support::engine::{MORNING_MS, command};
use crate::support::gateway::Gateway;
use jiff::tz::TimeZone;
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::menu::{MenuAction, MenuButton};
use paihao_contracts::settings::{AccountSetup, KeywordAction};
use paihao_domain::{
    Act, Actor, Command, CounterId, CounterRules, CounterTicket, LetPassLimit, Person, QueueId,
    QueueRules, Rules, TicketKey,
};
use paihao_gateway::settings::SiteSettings;
use paihao_gateway::settings::calendar::{Calendar, WeekHours};
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::menu;
use paihao_ledger::Subject;
use reqwest::StatusCode;
use std::collections::BTreeMap;
use std::sync::Arc;

const ADDRESS: &str = "城南路 1 号";

/// Returns the hall's account with a menu that has a text, and a key of another system's menu.
fn account() -> AccountSetup {
    let button = MenuButton {
        name: "地址".into(),
        action: Some(MenuAction::Text(ADDRESS.into())),
        entries: Vec::new(),
    };
    AccountSetup {
        buttons: vec![button],
        menu: [("BYE".to_owned(), KeywordAction::Leave)].into(),
        ..AccountSetup::default()
    }
}

fn hall_setup(cluster: &Cluster) -> GatewaySetup {
    let mut setup = cluster.account_setup();
    setup.deployment.accounts["shop"].update(&account());
    setup.deployment.configured =
        ConfiguredDocuments::new(BTreeMap::new(), [("shop".to_owned(), account())].into());
    setup
}

/// Adds a branch with two queues, the second with opening hours.
fn with_branch(mut setup: GatewaySetup) -> GatewaySetup {
    let facts = SiteFacts {
        account: "shop".into(),
        id: "branch".into(),
        name: "小站".into(),
        zone: "Asia/Shanghai".into(),
    };
    let queues = [("cash", "存取款", "B"), ("card", "开户", "C")];
    let rules = Rules {
        queues: queues
            .map(|(id, name, letter)| (QueueId::new(id), QueueRules::new(name, letter)))
            .into(),
        counters: [(CounterId::new("1"), CounterRules::new("1号", vec![QueueId::new("cash")]))]
            .into(),
        several_counters: false,
    };
    let hours = WeekHours::parse(["mon-fri 09:00-12:00 13:30-17:30"]).unwrap();
    let calendar = Calendar::new(TimeZone::get("Asia/Shanghai").unwrap(), 4)
        .with_hours([(QueueId::new("card"), hours)].into());
    let subject = Subject::new(&["shop", "branch"]).unwrap();
    let branch = Arc::new(SiteSettings::new(facts, subject, rules, calendar));
    setup.deployment.sites.insert("branch".to_owned(), branch);
    setup
}

/// State of a person at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PersonState {
    Stranger,
    Waiting,
    LettingPass,
    Called,
    Missed,
}

const STATES: [PersonState; 5] = [
    PersonState::Stranger,
    PersonState::Waiting,
    PersonState::LettingPass,
    PersonState::Called,
    PersonState::Missed,
];

async fn submit(gateway: &Gateway, site: &str, command: Command) {
    gateway.engine.submit(site, command).await.unwrap();
}

/// Brings a person into a state at a site. The counter is free again afterwards, unless it calls.
async fn prepare(gateway: &Gateway, site: &str, queue: &str, person: &str, state: PersonState) {
    if state == PersonState::Stranger {
        return;
    }
    let take = Act::Take {
        queue: QueueId::new(queue),
        person: Some(Person::new(person)),
        scan_session: None,
        class: None,
        key: Some(TicketKey([9; 16])),
    };
    submit(gateway, site, command(&format!("take {person} {site}"), take)).await;
    let snapshot = gateway.engine.snapshot(site).unwrap();
    let ticket = snapshot.site.live_ticket_of(&Person::new(person)).unwrap().id;
    let counter = CounterId::new("1");
    let day = snapshot.site.day();
    let act =
        |name: &str, act: Act| Command { day, ..command(&format!("{name} {person} {site}"), act) };
    match state {
        PersonState::Stranger | PersonState::Waiting => {}
        PersonState::LettingPass => {
            let pass = Act::LetPass { ticket, until: LetPassLimit::OnRequest };
            let actor = Actor::Customer(Person::new(person));
            submit(gateway, site, Command { actor, ..act("pass", pass) }).await;
        }
        PersonState::Called | PersonState::Missed => {
            submit(gateway, site, act("open", Act::OpenCounter(counter.clone()))).await;
            let reason = Some("a test".into());
            let call = Act::CallTicket { counter: counter.clone(), ticket, reason };
            submit(gateway, site, act("call", call)).await;
            if state == PersonState::Missed {
                let served = CounterTicket { counter, number: None };
                submit(gateway, site, act("miss", Act::Miss(served))).await;
            }
        }
    }
}

/// Delivers a press on the entry with this key. Returns the text of the reply; `success` for none.
async fn press(gateway: &Gateway, person: &str, key: &str, seconds: i64) -> String {
    let elements =
        format!("<MsgType>event</MsgType><Event>CLICK</Event><EventKey>{key}</EventKey>");
    text_of(gateway.push_at(person, &elements, MORNING_MS / 1000 + seconds).await)
}

fn text_of((status, body): (StatusCode, String)) -> String {
    assert_eq!(status, StatusCode::OK);
    match body.split_once("<Content><![CDATA[") {
        Some((_, rest)) => rest.split("]]>").next().unwrap().to_owned(),
        None => body,
    }
}

fn text_key() -> String {
    menu::to_wechat(&account().buttons).buttons[0].key.clone().unwrap()
}

/// Words that the reply to each entry has in each state, in the order of [`STATES`].
fn expectations() -> Vec<(String, [&'static str; 5])> {
    let no_ticket = "您现在没有排队的号";
    let take =
        ["取号成功 A", "您已取号 A", "暂离中，号码为您保留", "已叫到您，请到1号", "您已取号 A"];
    vec![
        ("paihao.take.hall.a".to_owned(), take),
        ("paihao.take.hall".to_owned(), take),
        ("paihao.take".to_owned(), take),
        (
            "paihao.my_ticket".to_owned(),
            [no_ticket, "您已取号 A", "暂离中", "已叫到您，请到1号", "已过号"],
        ),
        ("paihao.let_pass".to_owned(), [no_ticket, "已暂离", "暂离中", "已叫到您", "已过号"]),
        ("paihao.leave".to_owned(), [no_ticket, "已取消", "已取消", "已取消", "已取消"]),
        ("BYE".to_owned(), [no_ticket, "已取消", "已取消", "已取消", "已取消"]),
        ("paihao.hours".to_owned(), ["大厅\n今天 全天，明天 全天"; 5]),
        (text_key(), [ADDRESS; 5]),
    ]
}

#[tokio::test]
async fn each_entry_answers_people_in_each_state() {
    for (key, expected) in expectations() {
        for (state, words) in STATES.into_iter().zip(expected) {
            let cluster = Cluster::new();
            let gateway = cluster.start(hall_setup(&cluster)).await;
            prepare(&gateway, "hall", "a", "oAnn", state).await;
            let reply = press(&gateway, "oAnn", &key, 1).await;
            assert!(reply.contains(words), "{key} of somebody {state:?}: {reply}");
            let repeat = press(&gateway, "oAnn", &key, 1).await;
            assert_eq!(repeat, reply, "{key} of somebody {state:?}, delivered again");
            cluster.tasks.stop().cancel();
        }
    }
}

#[tokio::test]
async fn whoever_was_missed_returns_by_taking_a_number() {
    let cluster = Cluster::new();
    let gateway = cluster.start(hall_setup(&cluster)).await;
    prepare(&gateway, "hall", "a", "oAnn", PersonState::Missed).await;
    press(&gateway, "oAnn", "paihao.take", 1).await;
    let reply = press(&gateway, "oAnn", "paihao.my_ticket", 2).await;
    assert!(reply.contains("您已取号 A001") && !reply.contains("已过号"), "{reply}");
}

#[tokio::test]
async fn letting_others_pass_has_a_limit_and_a_link() {
    let cluster = Cluster::new();
    let gateway = cluster.start(hall_setup(&cluster)).await;
    let ticket = || {
        let site = gateway.engine.snapshot("hall").unwrap().site;
        site.live_ticket_of(&Person::new("oAnn")).unwrap().id
    };
    prepare(&gateway, "hall", "a", "oAnn", PersonState::Waiting).await;
    for (round, words) in [(1, "已暂离"), (2, "已暂离"), (3, "次数已用完")] {
        let reply = press(&gateway, "oAnn", "paihao.let_pass", round).await;
        assert!(reply.contains(words), "{reply}");
        let has_link = reply.contains("<a href=\"https://queue.example/t/hall/");
        assert_eq!(has_link, words == "已暂离", "{reply}");
        assert_eq!(press(&gateway, "oAnn", "paihao.let_pass", round).await, reply, "a repeat");
        if words == "已暂离" {
            let day = gateway.engine.snapshot("hall").unwrap().site.day();
            let resume =
                Command { day, ..command(&format!("resume {round}"), Act::Resume(ticket())) };
            submit(&gateway, "hall", resume).await;
        }
    }
}

#[tokio::test]
async fn at_several_sites_an_entry_acts_at_each() {
    let cluster = Cluster::new();
    let gateway = cluster.start(with_branch(hall_setup(&cluster))).await;
    let offers = press(&gateway, "oAnn", "paihao.take", 1).await;
    for line in [
        "\n大厅\n› <a href=",
        "msgmenucontent=取号%20大厅%20存取款&msgmenuid=paihao.take.hall.a\">存取款</a>，没有人在等",
        "\n小站\n› <a href=",
        "msgmenucontent=取号%20小站%20开户&msgmenuid=paihao.take.branch.card\">开户</a>",
    ] {
        assert!(offers.contains(line), "{line} is missing in:\n{offers}");
    }
    let of_site = press(&gateway, "oAnn", "paihao.take.branch", 2).await;
    assert!(of_site.contains("小站") && !of_site.contains("大厅"), "{of_site}");

    // A tap on a line sends its words, with the id or, from a test account, without it.
    let tap = |words: &str, more: &str, id: u32| {
        format!("<MsgType>text</MsgType><Content>{words}</Content><MsgId>{id}</MsgId>{more}")
    };
    let chosen = "<bizmsgmenuid>paihao.take.hall.a</bizmsgmenuid>";
    let taken = text_of(gateway.push("oAnn", &tap("取号 大厅 存取款", chosen, 1)).await);
    assert!(taken.contains("取号成功 A001"), "{taken}");
    let others = press(&gateway, "oAnn", "paihao.take", 3).await;
    assert!(others.contains("小站") && !others.contains("大厅"), "{others}");
    let taken = text_of(gateway.push("oAnn", &tap("取号 小站 开户", "", 2)).await);
    assert!(taken.contains("取号成功 C001"), "{taken}");

    let held = press(&gateway, "oAnn", "paihao.take", 4).await;
    assert!(held.contains("您已取号 A001") && held.contains("您已取号 C001"), "{held}");
    let passing = press(&gateway, "oAnn", "paihao.let_pass", 5).await;
    assert!(passing.contains("A001 已暂离") && passing.contains("C001 已暂离"), "{passing}");
    let shown = press(&gateway, "oAnn", "paihao.my_ticket", 6).await;
    assert_eq!(shown.matches("暂离中").count(), 2, "{shown}");
    let hours = press(&gateway, "oAnn", "paihao.hours", 7).await;
    let of_branch =
        "小站\n开户：今天 09:00–12:00 13:30–17:30，明天 休息\n存取款：今天 全天，明天 全天";
    assert!(hours.contains("大厅\n今天 全天，明天 全天"), "{hours}");
    assert!(hours.contains(of_branch), "{hours}");
    let left = press(&gateway, "oAnn", "paihao.leave", 8).await;
    assert!(left.contains("已取消 A001") && left.contains("已取消 C001"), "{left}");
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone_and_what_is_gone_is_told() {
    let cluster = Cluster::new();
    let gateway = cluster.start(hall_setup(&cluster)).await;
    for key in ["V1001_TODAY_MUSIC", "take", "PAIHAO.take", ""] {
        assert_eq!(press(&gateway, "oAnn", key, 1).await, "success", "{key}");
    }
    let view =
        "<MsgType>event</MsgType><Event>VIEW</Event><EventKey>https://example.com/</EventKey>";
    assert_eq!(text_of(gateway.push("oAnn", view).await), "success");
    let foreign = "<MsgType>text</MsgType><Content>101</Content><MsgId>1</MsgId>\
                   <bizmsgmenuid>101</bizmsgmenuid>";
    assert_eq!(text_of(gateway.push("oAnn", foreign).await), "success");
    for (seconds, key) in (2..).zip([
        "paihao.take.hall.gone",
        "paihao.take.gone.a",
        "paihao.take.gone",
        "paihao.text.0123456789abcdef",
        "paihao.book",
    ]) {
        let reply = press(&gateway, "oAnn", key, seconds).await;
        assert!(reply.contains("菜单已更新"), "{key}: {reply}");
    }
}
